"""The rules of a language that the reading of texts follows; without any, Unicode's alone."""

from functools import lru_cache
from pathlib import Path

from pydantic import Field

from conf.sections.base import Section
from conf.yaml_text import read_yaml

ENGLISH = Path(__file__).parents[1] / "languages" / "english.yaml"


class PluralEnding(Section):
    """An ending that a word loses, so that one and many are the same word."""

    ending: str = Field(min_length=1, description="letters at the end of the word")
    becomes: str = Field("", description="letters that take their place")
    letters: int = Field(0, ge=0, description="letters that must stand before the ending (count)")
    after: tuple[str, ...] = Field(
        (), description="the ending must follow one of these; empty: any letter"
    )
    not_after: str = Field("", description="letters that the ending must not follow")


class LanguageConf(Section):
    """What reading a text knows of its language. A layer that has this section gives all of it."""

    name: str = Field(
        "plain",
        pattern=r"^[a-z0-9_-]+$",
        description="name of the language; a conf without this section has English as a whole "
        "(conf/languages/english.yaml), one with it what it gives",
    )
    units: dict[str, tuple[str, ...]] = Field(
        default_factory=dict,
        description="units of measure: the spelling that stays, and those that it replaces where "
        "they follow a number",
    )
    colours: tuple[str, ...] = Field((), description="basic colour words")
    same_colours: dict[str, str] = Field(
        default_factory=dict, description="a colour word: the one that it is compared as"
    )
    thousands_separator: str = Field(
        "", max_length=1, description="mark between groups of three digits, which goes"
    )
    possessive: str = Field("", description="ending before which an apostrophe goes")
    plurals: tuple[PluralEnding, ...] = Field((), description="endings of plurals, in their order")
    qualifiers: tuple[str, ...] = Field(
        (), description="words that end the name of a thing in any text: `with`, `for`"
    )
    title_qualifiers: tuple[str, ...] = Field(
        (), description="words that end the name of a thing in an item's title"
    )
    small_words: tuple[str, ...] = Field(
        (), description="words that say nothing of a thing, beside the qualifiers: `the`, `a`"
    )


@lru_cache(maxsize=1)
def read_english() -> LanguageConf:
    """Read the rules of English that come with the package."""
    return LanguageConf(**read_yaml(ENGLISH)["language"])
