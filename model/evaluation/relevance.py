"""Yardsticks of relevance over four kinds of lists, with random, best and the distance covered."""

from dataclasses import dataclass

import numpy as np

from model.arrays import Floats, Ints, Mask
from model.evaluation.lists import RankedLists
from model.evaluation.measured import Measured, measure_ndcg
from model.evaluation.metrics import compute_exponential_gains

KINDS = ("judged", "judged_mixed", "pooled", "condensed")
CLEAR_GRADES, CLEAR_RATINGS = 2.0, 1.5
"""How far apart two items are beyond doubt: the two ends of three grades, and half the range of a
rating from 1 to 3 (raters of Home Depot differ by a point often, by one and a half rarely)."""

_ROUNDING = 1e-6
"""Thirds of a rating are not exact: 2 5/6 less 1 1/3 must count as 1.5."""


@dataclass(frozen=True)
class GradedLists:
    """NDCG@k of one kind of list over some of the rows.

    Attributes:
        rows: [N] rows that stand in a list.
        lists: the lists over those rows.
    """

    rows: Mask
    lists: RankedLists

    @classmethod
    def from_grades(cls, kind: str, query: Ints, grade: Floats, k: int) -> "GradedLists":
        """Build the lists of a kind among N candidates of queries, gains 2^grade - 1.

        Args:
            kind, query, grade: see `mark_members`.
            k: cut-off (ranks).
        """
        rows = mark_members(kind, query, grade)
        gains = compute_exponential_gains(np.maximum(grade[rows], 0.0))
        return cls(rows, RankedLists.from_codes(query[rows], gains, k))

    def measure_ndcg(self, scores: Floats) -> Measured:
        """Measure mean NDCG under the scores [N]; the best order has 1."""
        return self._spread_over_rows(measure_ndcg(self.lists, scores[self.rows]))

    def measure_random(self) -> Measured:
        """Measure the expected mean NDCG of a random order: every item gets the list's mean
        discount."""
        return self._spread_over_rows(measure_ndcg(self.lists, np.zeros(int(self.rows.sum()))))

    def measure_distance(self, scores: Floats) -> Measured:
        """Measure the share of the way from random to best, (x - random) / (1 - random); 1: the
        best order."""
        measured, chance = self.measure_ndcg(scores), self.measure_random()
        return Measured(
            measured.numerator - chance.numerator,
            measured.denominator - chance.numerator,
            measured.effective,
            measured.share,
        )

    def _spread_over_rows(self, measured: Measured) -> Measured:
        numerator, denominator = np.zeros(len(self.rows)), np.zeros(len(self.rows))
        numerator[self.rows], denominator[self.rows] = measured.numerator, measured.denominator
        return Measured(numerator, denominator, measured.effective, measured.share)


def mark_members(kind: str, query: Ints, grade: Floats) -> Mask:
    """Mark the rows that stand in a list of a kind, [N].

    judged: the judged items of a query. judged_mixed: of the queries with a relevant item (grade
    above 0) and an irrelevant one; the others can hardly be ranked wrongly. pooled: all candidates
    of the queries with a relevant item, unjudged ones as irrelevant. condensed: those without the
    unjudged ones (Sakai 2007), so that an item that nobody judged costs nothing.

    Args:
        kind: one of KINDS.
        query: [N] code of the query.
        grade: [N], 0 to 2, or another gain; below 0 where nobody judged the item.
    """
    judged = grade >= 0
    if kind == "judged":
        return judged
    has_relevant = _flag_queries(query, grade > 0)
    return {
        "judged_mixed": judged & has_relevant & _flag_queries(query, grade == 0),
        "pooled": has_relevant,
        "condensed": judged & has_relevant,
    }[kind]


def measure_clear_pairs(query: Ints, level: Floats, apart: float, scores: Floats) -> Measured:
    """Measure the share of clear pairs in the right order: judged items of a query, at least
    `apart` in level.

    Ties of the scores count half. A pair stands at the row of its better item.

    Args:
        query: [N] code of the query.
        level: [N] grade or rating; below 0 where nobody judged the item.
        apart: least difference of a pair (`CLEAR_GRADES`, `CLEAR_RATINGS`).
        scores: [N].
    """
    pairs = ClearPairs.from_levels(query, level, apart)
    informative = np.unique(query[pairs.counts > 0])
    return Measured(
        pairs.count_right(scores),
        pairs.counts,
        float(pairs.counts.sum()),
        len(informative) / max(len(np.unique(query[level >= 0])), 1),
    )


@dataclass(frozen=True)
class ClearPairs:
    """The clear pairs of many queries, counted and never listed: a long list has millions.

    Attributes:
        query: [N] code of the query.
        counts: [N] pairs in which the row is the better item.
        steps: the rows of each level, and the rows that each of them is clearly better than.
    """

    query: Ints
    counts: Floats
    steps: tuple[tuple[Ints, Ints], ...]

    @classmethod
    def from_levels(cls, query: Ints, level: Floats, apart: float) -> "ClearPairs":
        """Find the pairs; arguments of `measure_clear_pairs`."""
        counts = np.zeros(len(query))
        steps = []
        for value in np.unique(level[level >= 0]):
            better = np.flatnonzero(level == value)
            worse = np.flatnonzero((level >= 0) & (level <= value - apart + _ROUNDING))
            below = np.sort(query[worse])
            counts[better] = _count_between(below, query[better], query[better] + 1)
            if len(worse):
                steps.append((better, worse))
        return cls(query, counts, tuple(steps))

    def count_right(self, scores: Floats) -> Floats:
        """Count the pairs of each row whose better item has the higher score, ties half, [N].

        Args:
            scores: [N].
        """
        right = np.zeros(len(self.query))
        distinct, place = np.unique(scores, return_inverse=True)
        key = self.query * len(distinct) + place  # by query, then by score
        for better, worse in self.steps:
            below, ours = np.sort(key[worse]), key[better]
            least = self.query[better] * len(distinct)
            won = _count_between(below, least, ours)
            right[better] = won + 0.5 * _count_between(below, ours, ours + 1)
        return right


def _count_between(values: Ints, low: Ints, high: Ints) -> Floats:
    """Count the sorted values in low <= value < high, for each bound."""
    return (np.searchsorted(values, high) - np.searchsorted(values, low)).astype(np.float64)


def _flag_queries(query: Ints, flag: Mask) -> Mask:
    """Tell of each row whether a row of the same query has the flag, [N]."""
    return np.isin(query, query[flag])
