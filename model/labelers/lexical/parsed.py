"""A text taken apart once, for every comparison that it enters."""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from model.labelers.lexical.normal import (
    UNIT_NAMES,
    find_colours,
    find_measures,
    find_numbers,
    find_trigrams,
    is_number,
    split_tokens,
)

_LONGEST = 2_000
"""Characters read of a text: a bound on the work for a text that is no title or query."""
_TOKENS = 64
"""Tokens read of a text, for the same reason."""
_REMEMBERED = 4_096
"""Parsed texts kept (count): a part of 2,048 pairs has no more than so many texts."""
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
    def from_text(cls, text: str) -> "Parsed":
        """Take a text apart."""
        words = split_tokens(text[:_LONGEST])[:_TOKENS]
        content = _select_content(words)
        core = _select_content(_cut_qualifiers(words))
        return cls(
            words=tuple(words),
            content=tuple(content),
            core=frozenset(core),
            head=_find_last_word(core),
            last=_find_last_word(content),
            squeezed="".join(words),
            trigrams=frozenset(find_trigrams(words)),
            bigrams=frozenset(itertools.pairwise(content)),
            numbers=frozenset(find_numbers(words)),
            measures=frozenset(find_measures(words)),
            colours=frozenset(find_colours(words)),
        )


def parse_all(texts: Iterable[str]) -> dict[str, Parsed]:
    """Parse every distinct text once; those of the last few thousand are remembered."""
    return {text: _parse_text(text[:_LONGEST]) for text in dict.fromkeys(texts)}


@lru_cache(maxsize=_REMEMBERED)
def _parse_text(text: str) -> Parsed:
    return Parsed.from_text(text)


def _select_content(words: list[str]) -> list[str]:
    chosen = [w for w in dict.fromkeys(words) if w not in _SMALL and w not in UNIT_NAMES]
    return chosen or list(dict.fromkeys(words))


def _cut_qualifiers(words: list[str]) -> list[str]:
    """Give the tokens up to the first qualifier that has a word before it."""
    for at, word in enumerate(words):
        inch = word == "in" and at > 0 and is_number(words[at - 1])
        named = any(not is_number(earlier) for earlier in words[:at])
        if word in _QUALIFIERS and named and not inch:
            return words[:at]
    return words


def _find_last_word(words: list[str]) -> str:
    named = [word for word in words if not is_number(word)]
    return named[-1] if named else (words[-1] if words else "")
