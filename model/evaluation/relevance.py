"""Yardsticks of relevance over four kinds of lists, with random, best and the distance covered."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.evaluation.lists import RankedLists
from model.evaluation.measured import Measured, mean_ndcg
from model.evaluation.metrics import exponential_gain

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]
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
    def of(cls, kind: str, query: Ints, grade: Floats, k: int) -> "GradedLists":
        """Lists of a kind among N candidates of queries, gains 2^grade - 1.

        judged: the judged items of a query. judged_mixed: of the queries with a relevant item
        (grade 1 or more) and an irrelevant one; the others can hardly be ranked wrongly. pooled:
        all candidates of the queries with a relevant item, unjudged ones as irrelevant. condensed:
        those without the unjudged ones (Sakai 2007), so that an item that nobody judged costs
        nothing.

        Args:
            kind: one of KINDS.
            query: [N] code of the query.
            grade: [N], 0 to 2; below 0 where nobody judged the item.
            k: cut-off (ranks).
        """
        judged = grade >= 0
        has_relevant = _any(query, grade > 0)
        rows = {
            "judged": judged,
            "judged_mixed": judged & has_relevant & _any(query, grade == 0),
            "pooled": has_relevant,
            "condensed": judged & has_relevant,
        }[kind]
        gains = exponential_gain(np.maximum(grade[rows], 0.0))
        return cls(rows, RankedLists.of(query[rows], gains, k))

    def ndcg(self, scores: Floats) -> Measured:
        """Mean NDCG under the scores [N]; the best order has 1."""
        return self._over_all(mean_ndcg(self.lists, scores[self.rows]))

    def random(self) -> Measured:
        """Expected mean NDCG of a random order: every item gets the list's mean discount."""
        return self._over_all(mean_ndcg(self.lists, np.zeros(int(self.rows.sum()))))

    def distance(self, scores: Floats) -> Measured:
        """Share of the way from random to best, (x - random) / (1 - random), 1 the best order."""
        found, chance = self.ndcg(scores), self.random()
        return Measured(
            found.numerator - chance.numerator,
            found.denominator - chance.numerator,
            found.effective,
            found.share,
        )

    def _over_all(self, found: Measured) -> Measured:
        numerator, denominator = np.zeros(len(self.rows)), np.zeros(len(self.rows))
        numerator[self.rows], denominator[self.rows] = found.numerator, found.denominator
        return Measured(numerator, denominator, found.effective, found.share)


def clear_pairs(query: Ints, level: Floats, apart: float, scores: Floats) -> Measured:
    """Share of the pairs of a query's judged items at least `apart` in level in the right order.

    Ties of the scores count half. A pair stands at the row of its better item.

    Args:
        query: [N] code of the query.
        level: [N] grade or rating; below 0 where nobody judged the item.
        apart: least difference of a pair (`CLEAR_GRADES`, `CLEAR_RATINGS`).
        scores: [N].
    """
    better, worse = _pairs(query, level >= 0)
    clear = level[better] - level[worse] >= apart - _ROUNDING
    better, worse = better[clear], worse[clear]
    right = (scores[better] > scores[worse]) + 0.5 * (scores[better] == scores[worse])
    told = np.unique(query[better])
    return Measured(
        np.bincount(better, right, len(query)).astype(np.float64),
        np.bincount(better, minlength=len(query)).astype(np.float64),
        float(len(better)),
        len(told) / max(len(np.unique(query[level >= 0])), 1),
    )


def _any(query: Ints, flag: Mask) -> Mask:
    """[N] whether a row of the same query has the flag."""
    return np.isin(query, query[flag])


def _pairs(query: Ints, counted: Mask) -> tuple[Ints, Ints]:
    """Both rows of every ordered pair of counted rows of one query."""
    rows = np.flatnonzero(counted)
    rows = rows[np.argsort(query[rows], kind="stable")]
    _, index, sizes = np.unique(query[rows], return_inverse=True, return_counts=True)
    starts = np.cumsum(sizes) - sizes
    each = sizes[index]  # partners of each row, itself among them
    first = np.repeat(rows, each)
    within = np.arange(len(first)) - np.repeat(np.cumsum(each) - each, each)
    return first, rows[np.repeat(starts[index], each) + within]
