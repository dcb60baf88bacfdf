"""Overlap features of small texts, worked out by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conf.sections.features import EncoderConf
from conf.sections.language import read_english
from model.labelers.base import Pairs
from model.labelers.lexical import inputs as lexical_inputs
from model.labelers.lexical.features import FEATURES, compute_lexical_features, fit_vocabulary
from model.labelers.lexical.parsed import Parsed, TextParser
from model.labelers.lexical.similarity import compare_edits, compare_tokens
from model.labelers.lexical.vocabulary import Vocabulary
from model.text.encoder import find_encoder
from model.text.rules import TextRules

ITEMS = ["Acme 6 ft. Step Ladder with Tray", "Acme Red Sofa", "Bel Lamp for Desk"]
RULES = TextRules(read_english())
PARSER = TextParser(RULES)
VOCABULARY = fit_vocabulary(ITEMS, PARSER)


def features(query: str, item: str) -> dict[str, float]:
    row = compute_lexical_features(Pairs([query], [item]), VOCABULARY, PARSER)[0]
    return dict(zip(FEATURES, row.tolist(), strict=True))


def test_a_full_match() -> None:
    f = features("6' step ladder", ITEMS[0])
    whole = ("coverage", "idf_coverage", "fuzzy_coverage", "worst_token", "bigram_coverage")
    for name in (*whole, "last_in_item", "last_is_head", "head_in_query", "measure_match"):
        assert f[name] == 1.0, name
    # 6, step, ladder of acme, 6, step, ladder, tray; the core ends before `with`.
    assert f["item_coverage"] == pytest.approx(3 / 5)
    assert f["core_coverage"] == pytest.approx(3 / 4)
    assert (f["largest_gap"], f["query_numbers"], f["query_measures"]) == (0.0, 1.0, 1.0)


def test_half_a_match_weighs_the_rare_token() -> None:
    """`acme` is in two of three items, `chair` in none, so it counts 1."""
    f = features("acme chair", ITEMS[1])
    common = np.log(1 + 3 / 3) / np.log(4)
    assert f["coverage"] == pytest.approx(0.5)
    assert f["idf_coverage"] == pytest.approx(common / (1 + common))
    assert f["largest_gap"] == pytest.approx(1 - f["last_in_item"])
    assert f["brand_in_query"] == 1.0
    assert f["unknown"] == pytest.approx(0.5)


def test_a_typing_error_is_nearly_a_match() -> None:
    right, wrong = features("ladder", ITEMS[0]), features("laddre", ITEMS[0])
    assert wrong["coverage"] == 0.0
    assert wrong["fuzzy_coverage"] == pytest.approx(1 - 1 / 6)
    assert right["fuzzy_coverage"] == 1.0
    assert features("sofa", ITEMS[0])["fuzzy_coverage"] < 0.4


def test_colours() -> None:
    f = features("blue sofa", ITEMS[1])
    assert (f["colour_match"], f["query_colours"], f["other_colours"]) == (0.0, 1.0, 1.0)
    assert features("sofa", ITEMS[1])["colour_match"] == 1.0


def test_other_number_is_no_match() -> None:
    f = features("8 ft ladder", ITEMS[0])
    assert (f["number_match"], f["measure_match"]) == (0.0, 0.0)
    assert compare_tokens("8", "6") == 0.0


def test_similarities() -> None:
    assert compare_edits("toliet", "toilet") == pytest.approx(1 - 1 / 6)
    assert compare_edits("vinal", "vinyl") == pytest.approx(1 - 1 / 5)
    assert compare_edits("", "") == 1.0
    assert compare_tokens("dish", "dish") == 1.0


def test_heads() -> None:
    assert Parsed.from_text("Bel Lamp for Desk", RULES).head == "lamp"
    assert Parsed.from_text("2 in. Pipe in White", RULES).head == "pipe"
    assert Parsed.from_text("desk lamp 60", RULES).last == "lamp"
    assert (Parsed.from_text("", RULES).head, Parsed.from_text("12 34", RULES).head) == ("", "34")


@given(st.lists(st.tuples(st.text(max_size=30), st.text(max_size=40)), min_size=1, max_size=5))
def test_any_text_gives_finite_features_that_do_not_depend_on_others(
    texts: list[tuple[str, str]],
) -> None:
    queries, items = zip(*texts, strict=True)
    pairs = Pairs(queries, items)
    all_at_once = compute_lexical_features(pairs, VOCABULARY, PARSER)
    alone = [compute_lexical_features(Pairs([q], [i]), VOCABULARY, PARSER)[0] for q, i in texts]
    assert np.all(np.isfinite(all_at_once))
    np.testing.assert_array_equal(all_at_once, np.stack(alone))


def test_vocabulary_keeps_its_numbers() -> None:
    assert VOCABULARY.documents == 3
    assert VOCABULARY.frequency == {"acme": 2}
    assert VOCABULARY.compute_idf("chair") == pytest.approx(1.0)
    assert Vocabulary.from_json(VOCABULARY.as_json()) == VOCABULARY


def test_vectors_are_kept_and_stay_bounded(
    tiny_encoder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lexical_inputs, "_KEPT_VECTORS", 3)
    lexical_inputs._open_cache.cache_clear()
    spec = find_encoder(EncoderConf(path=tiny_encoder, dtype="float32"))
    first = lexical_inputs.compute_cosines(Pairs(["a b", "c"], ["c", "a b"]), spec)
    known = lexical_inputs._open_cache(spec)
    kept = known["c"]
    again = lexical_inputs.compute_cosines(Pairs(["c", "d", "e"], ["a b", "d", "f"]), spec)
    assert again[0] == pytest.approx(first[1], abs=1e-6)
    assert again[1] == pytest.approx(1.0, abs=1e-6)
    assert len(known) == 3 and "c" not in known
    assert kept.shape == (16,)
    lexical_inputs._open_cache.cache_clear()


def test_of_an_over_long_text_no_more_is_remembered_than_is_read() -> None:
    head = "saw " * 500
    found = PARSER.parse_all([head + "rope", head + "axe " * 25_000, head])
    assert len(found) == 3 and len({id(parsed) for parsed in found.values()}) == 1
    assert found[head] == Parsed.from_text(head + "rope", RULES)
