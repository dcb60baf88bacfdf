"""How much engagement each relevance weight leaves, by the log or by the ranker's expectation."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from model.arrays import Floats


@dataclass(frozen=True)
class EngagementShare:
    """Engagement under a weight over engagement under the smallest weight of the sweep.

    Attributes:
        share: the ratio that the rule goes by.
        error: standard error of the ratio that the log measured; inf where it measured none.
        measured: `share` is the log's; False: the ranker's own expectation.
    """

    share: float
    error: float
    measured: bool


def choose_shares(
    swept: Sequence[Floats], expected: Sequence[float], largest_error: float
) -> list[EngagementShare]:
    """Choose the log's ratios where all of them are exact enough, else those that the ranker
    expects.

    Where the error of the ratios is as large as the loss that they may show, a pick among ten
    weights is a pick of noise. The ranker's calibrated probabilities tell the loss with hardly any
    noise, but are off by as much as the ranker is: by their own account, the order by them is the
    best one. All weights of a curve have the same judge: noise in favour of one weight would
    count against the others.

    Args:
        swept: [U] sums of measured engagement by unit (block or text) under each weight, the
            smallest first; their denominators are the same.
        expected: the ratios by the ranker's calibrated probabilities.
        largest_error: standard error up to which the measured ratios are taken.
    """
    measured = [_estimate_ratio(under, swept[0]) for under in swept]
    exact = all(error <= largest_error for _, error in measured)
    return [
        EngagementShare(share if exact else by_ranker, error, exact)
        for (share, error), by_ranker in zip(measured, expected, strict=True)
    ]


def _estimate_ratio(under: Floats, without: Floats) -> tuple[float, float]:
    """Estimate the ratio of the sums and its standard error over the units (linearised)."""
    total = float(without.sum())
    informative = np.flatnonzero((under != 0) | (without != 0))
    if total <= 0 or len(informative) < 2:
        return np.nan, np.inf
    share = float(under.sum()) / total
    residual = (under - share * without)[informative]
    return share, float(
        np.sqrt(len(informative) / (len(informative) - 1) * np.sum(residual**2))
    ) / total
