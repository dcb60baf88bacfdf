"""Relative examination of the positions from the log alone: the same curve for every ranker."""

import numpy as np
from sklearn.isotonic import IsotonicRegression

from model.arrays import Floats, Ints

_ROUNDS = 100
"""Rounds of the alternation between attraction and examination (count)."""
_PRIOR_CLICKS = 20.0
"""Clicks that the prior 1 / k weighs as much as at each position: few enough to be forgotten where
there is a log, enough to hold where hardly any pair was seen at two positions."""


def estimate_examination(
    position: Ints,
    clicks: Floats,
    pair: Ints,
    last: int,
    floor: float,
    views: Floats | None = None,
) -> Floats:
    """Estimate relative examination e(1) = 1 >= e(2) >= ... from pairs that were seen at several
    positions.

    Clicks of a pair i at position k are taken for Poisson with mean a_i e(k) (position-based
    model), n_ik views; each pair has its own attraction, so a logger that puts better items on top
    does not pass for examination. Maximum likelihood in turns (Hausman, Hall and Griliches 1984
    show that the a_i do not bias e):
        a_i = C_i / sum_k n_ik e(k),   e(k) = (C_k + s p(k)) / (sum_i n_ik a_i + s)
    with s clicks' worth of the prior p(k) = 1 / k; made non-increasing at the end. A pair's
    attraction is taken for constant over the log.

    Args:
        position: [N] logged rank, from 1.
        clicks: [N] 1 clicked, or the clicks of the row's views.
        pair: [N] code of query and item.
        last: ranks beyond it count as this one.
        floor: least value kept.
        views: [N] how often the row's pair was seen at its position; None: once.

    Returns:
        [K] up to the last position seen.
    """
    reach = min(int(position.max(initial=1)), last)
    prior = 1.0 / np.arange(1, reach + 1)
    at = np.minimum(position, reach) - 1
    seen_times = np.ones(len(at)) if views is None else views
    index = np.unique(pair, return_inverse=True)[1]
    by_pair, by_place = np.bincount(index, clicks), np.bincount(at, clicks, reach)
    seen = prior
    for _ in range(_ROUNDS):
        attraction = by_pair / np.maximum(np.bincount(index, seen_times * seen[at]), 1e-12)
        expected = np.bincount(at, seen_times * attraction[index], reach)
        seen = (by_place + _PRIOR_CLICKS * prior) / (expected + _PRIOR_CLICKS)
        seen = seen / max(seen[0], 1e-12)
    weight = expected + _PRIOR_CLICKS
    falling = IsotonicRegression(increasing=False).fit_transform(
        np.arange(reach), seen, sample_weight=weight
    )
    return np.asarray(np.clip(falling / falling[0], floor, 1.0), np.float64)
