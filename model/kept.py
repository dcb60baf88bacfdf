"""How much engagement a relevance weight keeps, and whether the log or the ranker says so."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Kept:
    """Engagement under a weight over engagement under the smallest weight of the sweep.

    Attributes:
        share: the ratio that the rule goes by.
        error: standard error of the ratio that the log measured; inf where it measured none.
        measured: `share` is the log's; False: the ranker's own expectation.
    """

    share: float
    error: float
    measured: bool


def kept_share(under: Floats, without: Floats, expected: float, largest_error: float) -> Kept:
    """The log's ratio where it is exact enough, else the one that the ranker expects.

    A pick among ten weights by a ratio whose error is as large as the loss that it may cost is a
    pick of noise. The ranker's calibrated probabilities know the loss with hardly any noise. They
    tend to put it too high, as the order by them is the best one only by their own account: the
    rule then errs towards engagement.

    Args:
        under, without: [U] sums of measured engagement by unit (block or text), under the weight
            and under the smallest one; their denominators are the same.
        expected: the same ratio by the ranker's calibrated probabilities.
        largest_error: standard error up to which the measured ratio is taken.
    """
    total = float(without.sum())
    told = np.flatnonzero((under != 0) | (without != 0))
    if total <= 0 or len(told) < 2:
        return Kept(expected, np.inf, measured=False)
    share = float(under.sum()) / total
    residual = (under - share * without)[told]
    error = float(np.sqrt(len(told) / (len(told) - 1) * np.sum(residual**2))) / total
    if error <= largest_error:
        return Kept(share, error, measured=True)
    return Kept(expected, error, measured=False)
