"""A text taken apart once, for every comparison that it enters."""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from model.labelers.lexical.normal import (
    UNIT_NAMES,
    basic_colours,
    is_number,
    measures,
    numbers,
    tokens,
    trigrams,
)

_LONGEST = 2_000
_TOKENS = 64
_REMEMBERED = 4_096
_QUALIFIERS = frozenset({"with", "for", "in", "by", "of", "to", "and", "on"})
_SMALL = frozenset({"a", "an", "the", "or", "at", "from", *_QUALIFIERS})


@dataclass(frozen=True)
class Parsed:
    """A query or item text; of an over-long one the first 2,000 characters and 64 tokens.

    Attributes:
        words: all tokens in their order.
        content: distinct tokens without small words and units; all tokens where none is left.
        core: content tokens before the first `with`, `for`, `in`, ...: what the thing is.
        head: last content token of the core that is not a number; '' for an empty text.
        last: last content token of the whole text that is not a number; '' for an empty text.
        squeezed: the tokens without any space.
    """

    words: tuple[str, ...]
    content: tuple[str, ...]
    core: frozenset[str]
    head: str
    last: str
    squeezed: str
    trigrams: frozenset[str]
    bigrams: frozenset[tuple[str, str]]
    numbers: frozenset[str]
    measures: frozenset[str]
    colours: frozenset[str]

    @classmethod
    def of(cls, text: str) -> "Parsed":
        """Take a text apart."""
        words = tokens(text[:_LONGEST])[:_TOKENS]
        content = _content(words)
        core = _content(_before_qualifier(words))
        return cls(
            words=tuple(words),
            content=tuple(content),
            core=frozenset(core),
            head=_last_word(core),
            last=_last_word(content),
            squeezed="".join(words),
            trigrams=frozenset(trigrams(words)),
            bigrams=frozenset(itertools.pairwise(content)),
            numbers=frozenset(numbers(words)),
            measures=frozenset(measures(words)),
            colours=frozenset(basic_colours(words)),
        )


def parse_all(texts: Iterable[str]) -> dict[str, Parsed]:
    """Every distinct text, taken apart once; those of the last few thousand are remembered."""
    return {text: _parse(text[:_LONGEST]) for text in dict.fromkeys(texts)}


@lru_cache(maxsize=_REMEMBERED)
def _parse(text: str) -> Parsed:
    return Parsed.of(text)


def _content(words: list[str]) -> list[str]:
    kept = [w for w in dict.fromkeys(words) if w not in _SMALL and w not in UNIT_NAMES]
    return kept or list(dict.fromkeys(words))


def _before_qualifier(words: list[str]) -> list[str]:
    """The tokens up to the first qualifier that has a word before it."""
    for at, word in enumerate(words):
        inch = word == "in" and at > 0 and is_number(words[at - 1])
        named = any(not is_number(earlier) for earlier in words[:at])
        if word in _QUALIFIERS and named and not inch:
            return words[:at]
    return words


def _last_word(words: list[str]) -> str:
    named = [word for word in words if not is_number(word)]
    return named[-1] if named else (words[-1] if words else "")
