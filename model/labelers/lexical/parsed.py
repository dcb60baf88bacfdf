"""A text taken apart once, for every comparison that it enters."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from model.text.rules import TextRules, find_numbers, find_trigrams, is_number

_LONGEST = 2_000
"""Characters read of a text: a bound on the work for a text that is no title or query."""
_TOKENS = 64
"""Tokens read of a text, for the same reason."""
_REMEMBERED = 4_096
"""Parsed texts kept (count): a part of 2,048 pairs has no more than so many texts."""


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
    def from_text(cls, text: str, rules: TextRules) -> "Parsed":
        """Take a text apart by the rules of its language."""
        words = rules.split_tokens(text[:_LONGEST])[:_TOKENS]
        content = _select_content(words, rules)
        core = _select_content(_cut_qualifiers(words, rules), rules)
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
            measures=frozenset(rules.find_measures(words)),
            colours=frozenset(rules.find_colours(words)),
        )


class TextParser:
    """Takes texts of one language apart; those of the last few thousand are remembered."""

    def __init__(self, rules: TextRules) -> None:
        """Remember no text yet."""
        self.rules = rules
        self._parse = lru_cache(maxsize=_REMEMBERED)(lambda text: Parsed.from_text(text, rules))

    def parse_all(self, texts: Iterable[str]) -> dict[str, Parsed]:
        """Parse every distinct text once."""
        return {text: self._parse(text[:_LONGEST]) for text in dict.fromkeys(texts)}


def _select_content(words: Sequence[str], rules: TextRules) -> list[str]:
    language = rules.language
    empty = {*language.small_words, *language.qualifiers, *language.units}
    return [w for w in dict.fromkeys(words) if w not in empty] or list(dict.fromkeys(words))


def _cut_qualifiers(words: list[str], rules: TextRules) -> list[str]:
    """Give the tokens up to the first qualifier that has a word before it."""
    for at, word in enumerate(words):
        is_unit = word in rules.language.units and at > 0 and is_number(words[at - 1])
        named = any(not is_number(earlier) for earlier in words[:at])
        if word in rules.language.qualifiers and named and not is_unit:
            return words[:at]
    return words


def _find_last_word(words: list[str]) -> str:
    named = [word for word in words if not is_number(word)]
    return named[-1] if named else (words[-1] if words else "")
