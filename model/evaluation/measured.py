"""What every yardstick gives: a ratio of sums over rows, drawn again unit by unit."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.evaluation.lists import RankedLists
from model.evaluation.metrics import ratio

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Measured:
    """One ranker under one yardstick.

    Attributes:
        numerator, denominator: [N] what each row adds to the two sums. A list's NDCG stands at the
            list's first row, with denominator 1.
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
        return float(ratio(self.numerator.sum(), self.denominator.sum()))

    def by_unit(self, unit: Ints, size: int) -> Floats:
        """[size, 2] both sums by unit, from the unit [N] of each row (from 0)."""
        sums = (np.bincount(unit, part, size) for part in (self.numerator, self.denominator))
        return np.stack(list(sums), axis=1)


def mean_ndcg(lists: RankedLists, scores: Floats) -> Measured:
    """Mean NDCG of the lists under the scores [N]; lists that say nothing count nowhere."""
    values = lists.ndcg(scores)
    told = np.flatnonzero(lists.told)
    numerator, denominator = np.zeros(len(scores)), np.zeros(len(scores))
    numerator[lists.first[told]] = values[told]
    denominator[lists.first[told]] = 1.0
    share = len(told) / max(len(lists.first), 1)
    return Measured(numerator, denominator, float(len(told)), share)


def effective_size(weights: Floats) -> float:
    """(sum of weights)^2 / sum of squares: equally weighted rows that say as much (Kish 1965)."""
    squares = float(np.sum(weights**2))
    return float(np.sum(weights)) ** 2 / squares if squares > 0 else 0.0
