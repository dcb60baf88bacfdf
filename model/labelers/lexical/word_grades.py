"""What each query word says of the grade, where the item holds it and where it does not.

That `white` is missing costs a little, that `faucet` is missing costs nearly all; the graded pairs
tell so for each word."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Self

import numpy as np
from numpy.typing import NDArray

from model.labelers.base import Pairs, Targets
from model.labelers.lexical.hashes import hash_keys, hash_word
from model.labelers.lexical.parsed import TextParser

Floats32 = NDArray[np.float32]
Ints = NDArray[np.int64]
FEATURES: tuple[str, ...] = (
    *("missing_words", "worst_missing", "mean_missing", "found_words", "mean_found"),
)
"""Names of the columns, in their order."""
_PRIOR = 8.0
"""Pairs without a surplus that every word starts with (count)."""
_RIDGE = 1e-3
"""Share of the mean square that keeps the regression solvable where features are collinear."""


@dataclass(frozen=True)
class WordGrades:
    """Surplus grades of graded pairs by query word: see `compute_surplus`.

    Attributes:
        words: [W] hashes of the words, sorted.
        sums: [W, 2] surplus of the pairs whose item lacks (0) and holds (1) the word, added up.
        counts: [W, 2] those pairs (count).
    """

    words: Ints
    sums: Floats32
    counts: Floats32

    @classmethod
    def from_pairs(cls, pairs: Pairs, surplus: NDArray[np.float64], parser: TextParser) -> Self:
        """Add up the surplus [N] of the pairs."""
        return cls._from_occurrences(_list_occurrences(pairs, parser), surplus)

    @classmethod
    def _from_occurrences(cls, occurrences: Ints, surplus: NDArray[np.float64]) -> Self:
        row, hashes, held = occurrences.T
        words, word = np.unique(hashes, return_inverse=True)
        cell, values, shape = word * 2 + held, surplus[row], (len(words), 2)
        sums = np.bincount(cell, values, minlength=2 * len(words)).reshape(shape)
        counts = np.bincount(cell, minlength=2 * len(words)).reshape(shape)
        return cls(words, sums.astype(np.float32), counts.astype(np.float32))

    def compute_features(self, pairs: Pairs, parser: TextParser) -> Floats32:
        """Compute [N, len(FEATURES)]: sum, least and mean of the missing words, sum and mean of
        those the item has.

        A word's figure is its mean surplus, shrunk to 0 by eight pairs.
        """
        return self._compute_features(_list_occurrences(pairs, parser), len(pairs))

    def _compute_features(self, occurrences: Ints, rows: int) -> Floats32:
        rate = self.sums / (self.counts + _PRIOR)
        missing: list[list[float]] = [[] for _ in range(rows)]
        present: list[list[float]] = [[] for _ in range(rows)]
        place = {int(word): row for row, word in enumerate(self.words)}
        for row, word, held in occurrences.tolist():
            at = place.get(word)
            (present if held else missing)[row].append(0.0 if at is None else float(rate[at, held]))
        return np.array(
            [
                [sum(lost), min(lost, default=0.0), _average(lost), sum(gained), _average(gained)]
                for lost, gained in zip(missing, present, strict=True)
            ],
            np.float32,
        ).reshape(-1, len(FEATURES))


def compute_out_of_fold(
    pairs: Pairs, surplus: NDArray[np.float64], parser: TextParser, folds: int = 5
) -> Floats32:
    """Compute the features of the graded pairs themselves, from the queries of the other folds.

    Later a graded query's words have its own grades, too.
    """
    fold = hash_keys(pairs.queries) % folds
    occurrences = _list_occurrences(pairs, parser)
    of_fold = fold[occurrences[:, 0]]
    out = np.zeros((len(pairs), len(FEATURES)), np.float32)
    for number in range(folds):
        others = WordGrades._from_occurrences(occurrences[of_fold != number], surplus)
        columns = others._compute_features(occurrences[of_fold == number], len(pairs))
        out[fold == number] = columns[fold == number]
    return out


def compute_surplus(targets: Targets, features: Floats32) -> NDArray[np.float64]:
    """Compute the expected grade less what a ridge regression on the features [N, F] says of it,
    [N]."""
    grade = (targets.label_ge_1 + targets.label_ge_2).astype(np.float64)
    scale = features.std(axis=0, dtype=np.float64)
    centred = (features - features.mean(axis=0, dtype=np.float64)) / np.where(scale > 0, scale, 1)
    inner = centred.T @ centred + _RIDGE * len(centred) * np.eye(centred.shape[1])
    above = grade - grade.mean()
    residual: NDArray[np.float64] = above - centred @ np.linalg.solve(inner, centred.T @ above)
    return residual


def _list_occurrences(pairs: Pairs, parser: TextParser) -> Ints:
    """List one row per pair and word of its query, [M, 3]: row of the pair, hash of the word, 1
    where the item holds it, else 0."""
    return np.fromiter(chain.from_iterable(_iterate_words(pairs, parser)), np.int64).reshape(-1, 3)


def _iterate_words(pairs: Pairs, parser: TextParser) -> Iterator[tuple[int, int, int]]:
    queries, items = parser.parse_all(pairs.queries), parser.parse_all(pairs.items)
    held = {text: set(parsed.words) for text, parsed in items.items()}
    for row, (query, item) in enumerate(zip(pairs.queries, pairs.items, strict=True)):
        for word in queries[query].content:
            yield row, hash_word(word), int(word in held[item])


def _average(values: list[float]) -> float:
    return sum(values) / len(values) if values else 0.0
