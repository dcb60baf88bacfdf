"""What every yardstick gives: a ratio of two sums over rows, which any draw of units gives
again."""

from dataclasses import dataclass

import numpy as np

from model.arrays import Floats
from model.evaluation.lists import RankedLists
from model.evaluation.metrics import divide_sums


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
        return float(divide_sums(self.numerator.sum(), self.denominator.sum()))


def measure_ndcg(lists: RankedLists, scores: Floats) -> Measured:
    """Measure the mean NDCG of the lists under the scores [N]; lists that say nothing count
    nowhere."""
    values = lists.compute_ndcg(scores)
    informative = np.flatnonzero(lists.informative)
    numerator, denominator = np.zeros(len(scores)), np.zeros(len(scores))
    numerator[lists.any_row[informative]] = values[informative]
    denominator[lists.any_row[informative]] = 1.0
    share = len(informative) / max(len(lists.any_row), 1)
    return Measured(numerator, denominator, float(len(informative)), share)


def compute_effective_size(weights: Floats) -> float:
    """Compute (sum of weights)^2 / sum of squares: how many equally weighted rows say as much (Kish
    1965)."""
    squares = float(np.sum(weights**2))
    return float(np.sum(weights)) ** 2 / squares if squares > 0 else 0.0
