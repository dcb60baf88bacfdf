"""How rare the tokens of item texts are."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import log
from typing import Any, Self

_KEPT = 200_000
"""Tokens kept, the most frequent (count): a rarer one counts as if no text held it."""


@dataclass(frozen=True)
class Vocabulary:
    """Document frequencies of the tokens of `documents` distinct item texts.

    Attributes:
        documents: distinct item texts (count).
        frequency: item texts that hold a token (count), for tokens of two texts or more.
    """

    documents: int
    frequency: dict[str, int]

    @classmethod
    def from_texts(cls, texts: Iterable[Sequence[str]]) -> Self:
        """Count the tokens of distinct item texts; at most 200,000 tokens are kept."""
        seen, documents = Counter[str](), 0
        for words in texts:
            documents += 1
            seen.update(set(words))
        ordered = sorted(seen.items(), key=lambda entry: (-entry[1], entry[0]))[:_KEPT]
        return cls(documents, {token: count for token, count in ordered if count > 1})

    def compute_idf(self, token: str) -> float:
        """Compute log(1 + N / (1 + n)) with n of N texts that hold the token, in units of a token
        that none holds.

        A token that is in no text, or in one alone, counts 1; one in every text next to nothing.
        """
        return log(1 + self.documents / (1 + self.frequency.get(token, 0))) / self._rarest

    @cached_property
    def _rarest(self) -> float:
        return log(1 + max(self.documents, 1))

    def as_json(self) -> dict[str, Any]:
        """Give what `from_json` reads."""
        return {"documents": self.documents, "frequency": self.frequency}

    @classmethod
    def from_json(cls, entries: dict[str, Any]) -> Self:
        """Give the vocabulary that `as_json` wrote."""
        return cls(
            int(entries["documents"]), {str(t): int(n) for t, n in entries["frequency"].items()}
        )
