"""What every yardstick gives: a ratio of two sums over rows, which any draw of units gives
again."""

from dataclasses import dataclass

import numpy as np

from model.arrays import Floats, Ints
from model.evaluation.lists import RankedLists
from model.evaluation.metrics import divide_sums


@dataclass(frozen=True)
class Measured:
    """One ranker under one yardstick.

    Attributes:
        numerator, denominator: [N] what each row adds to the two sums. A list's NDCG stands at a
            row of the list, with the list's weight for denominator.
        effective: effective sample size (count): lists for a mean over lists, else
            (sum_i c_i)^2 / sum_i c_i^2 over the weighted gains c_i of the rows (Kish 1965).
        share: share of the lists or pages that count (fraction).
    """

    numerator: Floats
    denominator: Floats
    effective: float
    share: float

    @property
    def value(self) -> float:
        """sum of numerators / sum of denominators; nan where nothing counts."""
        return float(divide_sums(self.numerator.sum(), self.denominator.sum()))


def measure_ndcg(lists: RankedLists, scores: Floats, query: Ints | None = None) -> Measured:
    """Measure the mean NDCG of the lists under the scores [N]; lists that say nothing count
    nowhere.

    Args:
        query: [N] code of the query; the mean is then over queries, each with the mean over its
            lists, so that a head query with a million pages counts as much as any other.
    """
    values = lists.compute_ndcg(scores)
    informative = np.flatnonzero(lists.informative)
    rows = lists.any_row[informative]
    weight = np.ones(len(rows)) if query is None else _share_among_lists(query[rows])
    numerator, denominator = np.zeros(len(scores)), np.zeros(len(scores))
    numerator[rows] = values[informative] * weight
    denominator[rows] = weight
    share = len(informative) / max(len(lists.any_row), 1)
    return Measured(numerator, denominator, float(len(informative)), share)


def _share_among_lists(query: Ints) -> Floats:
    """Share a weight of 1 among the lists of a query, [L]; query [L]."""
    _, index, counts = np.unique(query, return_inverse=True, return_counts=True)
    return np.asarray(1.0 / counts[index])


def compute_effective_size(weights: Floats) -> float:
    """Compute (sum of weights)^2 / sum of squares: how many equally weighted rows say as much (Kish
    1965)."""
    squares = float(np.sum(weights**2))
    return float(np.sum(weights)) ** 2 / squares if squares > 0 else 0.0
