"""Tails of what the clicks, carts and purchases of one unit may be: plain numpy."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc, ndtri

Floats = NDArray[np.float64]
TINY = 1e-300
Bounds = tuple[Floats, Floats, Floats, Floats]
"""P(X < c), P(X <= c), P(X > c), P(X >= c) of counts c [N], each [N]."""


def negative_binomial(counts: Floats, mean: Floats, dispersion: Floats) -> Bounds:
    """Of a Poisson count whose mean is gamma-distributed with shape k = 1 / dispersion.

    With p = k / (k + mean), P(X <= c) = I_p(k, c + 1), I the regularised incomplete beta function.
    """
    shape = 1.0 / dispersion
    p, q = shape / (shape + mean), mean / (shape + mean)
    some, c = counts > 0, np.maximum(counts, 1.0)
    below = np.where(some, betainc(shape, c, p), 0.0)
    from_here = np.where(some, betainc(c, shape, q), 1.0)
    up_to, above = betainc(shape, counts + 1.0, p), betainc(counts + 1.0, shape, q)
    return below, up_to, above, from_here


def clustered_binomial(counts: Floats, trials: Floats, rate: Floats, correlation: Floats) -> Bounds:
    """Of x successes among n trials of one unit; where nothing was tried, 0, 1, 0 and 1.

    Counts and trials are divided by the design effect 1 + (n - 1) * correlation (Rao and Scott
    1992) and read on the continuous binomial P(X <= x) = I_{1-r}(n - x, x + 1).
    """
    design = 1.0 + np.maximum(trials - 1.0, 0.0) * correlation
    n, x = trials / design, counts / design
    r = np.where(tried(trials, rate), rate, 0.5)
    left, some = np.maximum(n - x, TINY), np.maximum(x, TINY)
    up_to = np.where(x < n, betainc(left, x + 1.0, 1.0 - r), 1.0)
    below = np.where(x > 0, betainc(n - x + 1.0, some, 1.0 - r), 0.0)
    above = np.where(x < n, betainc(x + 1.0, left, r), 0.0)
    from_here = np.where(x > 0, betainc(some, n - x + 1.0, r), 1.0)
    return below, up_to, above, from_here


def tried(trials: Floats, rate: Floats) -> NDArray[np.bool_]:
    """Where there is a trial whose outcome is open."""
    return np.asarray((trials > 0) & (rate > 0) & (rate < 1))


def normal_score(bounds: Bounds) -> Floats:
    """z of the mid-p tails P(X < c) + P(X = c) / 2 and its like above (Lancaster 1961).

    Taken from the smaller tail: one near 1 has no digits left. Positive: c is large.
    """
    below, up_to, above, from_here = bounds
    lower, upper = (below + up_to) / 2.0, (above + from_here) / 2.0
    z = ndtri(np.maximum(np.minimum(lower, upper), TINY))
    return np.asarray(np.where(upper < lower, -z, z), np.float64)


def centre(bounds: Bounds) -> Floats:
    """Share of [P(X < c), P(X <= c)] that lies between 1/4 and 3/4; its mean over c is 1/2."""
    below, up_to = bounds[:2]
    inside = np.minimum(up_to, 0.75) - np.maximum(below, 0.25)
    return np.asarray(np.clip(inside / np.maximum(up_to - below, TINY), 0.0, 1.0), np.float64)
