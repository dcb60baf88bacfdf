"""One normal form: spellings of numbers and units, plurals, tokens; rules are data."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conf.sections.language import LanguageConf, PluralEnding, read_english
from model.text.rules import TextRules, find_numbers, find_trigrams

ENGLISH = TextRules(read_english())
TOKENS = {
    "6-foot ladder": ["6", "ft", "ladder"],
    "6 ft. Ladders": ["6", "ft", "ladder"],
    "6' ladder": ["6", "ft", "ladder"],
    "2 in. x 4 in. x 8 ft. Stud": ["2", "in", "4", "in", "8", "ft", "stud"],
    "2x4x8 studs, 2 x 4 x .75": ["2", "4", "8", "stud", "2", "4", "75"],
    "12\"x10' rugs": ["12", "in", "10", "ft", "rug"],
    "60w 120 volts 10' 4''": ["60", "w", "120", "v", "10", "ft", "4", "in"],
    "1-1/2 in. pipe &amp; 2.5 amps": ["1", "1/2", "in", "pipe", "2.5", "amp"],
    "5&#34; pipe": ["5", "in", "pipe"],
    "1,000 lbs and 12,34 and 3 pcs": ["1000", "lb", "and", "12", "34", "and", "3", "pk"],
    "Men's dresses, batteries, boxes": ["men", "dress", "battery", "box"],
    "Women’s bushes lies": ["women", "bush", "lie"],
    "gas bus glass": ["gas", "bus", "glass"],
    "inches of feet": ["inch", "of", "feet"],
    "DCD771C2": ["dcd771c2"],
    "CAFÉ हिन्दी ñandú ½ ²": ["café", "हिन्दी", "ñandú", "½", "²"],
    "x-ray box": ["x", "ray", "box"],
    "!!!": [],
    "": [],
}


@pytest.mark.parametrize("text", TOKENS)
def test_tokens(text: str) -> None:
    assert ENGLISH.split_tokens(text) == TOKENS[text]


@given(st.text())
def test_any_text_has_tokens_without_spaces(text: str) -> None:
    assert all(token and not token.isspace() for token in ENGLISH.split_tokens(text))


def test_numbers_and_measures() -> None:
    words = ENGLISH.split_tokens("3/4 in bolt 6 ft")
    assert find_numbers(words) == ["3/4", "6"]
    assert ENGLISH.find_measures(words) == ["3/4 in", "6 ft"]
    assert find_numbers(ENGLISH.split_tokens("2x4x8 studs")) == ["2", "4", "8"]


def test_trigrams_have_a_space_around() -> None:
    assert find_trigrams(["sofa"]) == [" so", "sof", "ofa", "fa "]
    assert find_trigrams([]) == []


def test_both_greys_are_one_colour() -> None:
    assert ENGLISH.find_colours(["grey", "and", "gray", "and", "red"]) == ["grey", "red"]


@pytest.mark.parametrize(
    ("text", "head"),
    [("6 ft garden hoses", "hose"), ("hose 50 ft", "hose"), ("12 in", ""), ("", "")],
)
def test_the_head_is_the_last_word_that_is_no_unit(text: str, head: str) -> None:
    assert ENGLISH.find_head(ENGLISH.split_tokens(text)) == head


def test_a_title_ends_before_its_qualifier() -> None:
    assert ENGLISH.cut_title("Delta Faucet in Chrome with Spray") == "delta faucet"
    assert ENGLISH.cut_title("Oak Table - 4 Seats") == "oak table"
    assert ENGLISH.cut_title("Lamp (Red), small") == "lamp "


def test_without_a_language_only_unicode_holds() -> None:
    plain = TextRules(LanguageConf())
    assert plain.split_tokens("6-foot Boxes, 1,000'") == ["6", "foot", "boxes", "1", "000"]
    assert plain.find_measures(["6", "ft"]) == plain.find_colours(["red"]) == []
    assert plain.cut_title("Lamp in red - small") == "lamp in red"
    assert plain.find_head(["6", "ft"]) == "ft"


def test_another_language_is_another_set_of_data() -> None:
    german = TextRules(
        LanguageConf(
            name="german",
            units={"cm": ("zentimeter", "cm")},
            colours=("rot",),
            thousands_separator=".",
            plurals=(PluralEnding(ending="en", letters=3, not_after="i"),),
            title_qualifiers=("mit",),
        )
    )
    assert german.split_tokens("1.200 Lampen, 20 Zentimeter, rot") == [
        *("1200", "lamp", "20", "cm", "rot")
    ]
    assert german.split_tokens("Ebenen Garagien") == ["eben", "garagien"]
    assert german.find_measures(["20", "cm"]) == ["20 cm"]
    assert german.cut_title("Lampe mit Schirm") == "lampe"
