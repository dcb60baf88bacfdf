"""How far the engagement of a unit lies from what its grade brings, in Spark's Python workers.

Each step of the funnel gives a mid-p tail, turned into a normal score z: positive for too much
engagement. Given the step before, a step's score is standard normal whatever that one was, so the
scores add up by Stouffer's method, each weighted by the root of the information that its trials
carry: a unit without clicks is judged by its clicks alone.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pyspark.sql.pandas.functions import pandas_udf
from scipy.special import betainc, ndtr, ndtri

from model.arrays import Floats

TINY = 1e-300
"""Keeps divisors and tails above 0: near the least positive double, so that no other value
changes."""
Bounds = tuple[Floats, Floats, Floats, Floats]
"""P(X < c), P(X <= c), P(X > c), P(X >= c) of counts c [N], each [N]."""
SCORE_TYPE = "struct<z_click: double, z_cart: double, z_purchase: double, z: double, p: double>"
CENTRE_TYPE = "struct<click: array<double>, cart: array<double>, purchase: array<double>>"
Step = tuple[Floats, Floats, Floats]


def contradiction_udf() -> Any:
    """Make a pandas UDF of nine double columns, in the order of
    `score_contradiction`; SCORE_TYPE.
    """

    def score_units(
        clicks: pd.Series,
        mean_clicks: pd.Series,
        dispersion: pd.Series,
        carts: pd.Series,
        cart_rate: pd.Series,
        cart_correlation: pd.Series,
        purchases: pd.Series,
        purchase_rate: pd.Series,
        purchase_correlation: pd.Series,
    ) -> pd.DataFrame:
        click = _to_floats(clicks), _to_floats(mean_clicks), _to_floats(dispersion)
        cart = _to_floats(carts), _to_floats(cart_rate), _to_floats(cart_correlation)
        purchase = (
            _to_floats(purchases),
            _to_floats(purchase_rate),
            _to_floats(purchase_correlation),
        )
        return pd.DataFrame(score_contradiction(click, cart, purchase))

    wrap: Any = pandas_udf
    return wrap(score_units, SCORE_TYPE)


def score_contradiction(click: Step, cart: Step, purchase: Step) -> dict[str, Floats]:
    """Score N units: z_click, z_cart, z_purchase, z and the two-sided p, [N] each.

    Args:
        click: clicks, their mean under the grade, and the dispersion of pairs of the grade.
        cart: carts, their rate given a click, and the correlation within a unit.
        purchase: likewise given a cart.
    """
    clicks, mean, dispersion = click
    z = {
        "z_click": normal_score(negative_binomial(clicks, mean, dispersion)),
        "z_cart": _step_score(cart, clicks),
        "z_purchase": _step_score(purchase, cart[0]),
    }
    information = np.stack(
        [
            mean / (1.0 + dispersion * mean),
            _step_information(clicks, cart),
            _step_information(cart[0], purchase),
        ]
    )
    norm = np.sqrt(information.sum(axis=0))
    total = (np.sqrt(information) * np.stack(list(z.values()))).sum(axis=0) / (norm + TINY)
    return {**z, "z": total, "p": np.minimum(1.0, 2.0 * ndtr(-np.abs(total)))}


def p_value_udf() -> Any:
    """Make a pandas UDF of a score (double, null passes) and a grade (int): the p-value."""

    def p_value(z: pd.Series, grade: pd.Series) -> pd.Series:
        return pd.Series(p_values(_to_floats(z), np.asarray(grade, np.int64)))

    wrap: Any = pandas_udf
    return wrap(p_value, "double")


def p_values(z: Floats, grade: NDArray[np.int64]) -> Floats:
    """Compute p-values [N] of standard normal scores: two-sided for grade 1, else one-sided.

    Engagement contradicts grade 0 only by being too much, and grade 2 only by being too little.
    """
    two_sided = 2.0 * ndtr(-np.abs(z))
    one_sided = np.where(grade == 0, ndtr(-z), ndtr(z))
    return np.asarray(np.where(grade == 1, two_sided, one_sided), np.float64)


def centre_udf(dispersions: Sequence[float], correlations: Sequence[float]) -> Any:
    """Make a pandas UDF of clicks, mean_clicks, carts, cart_rate, purchases, purchase_rate
    (double).

    Gives CENTRE_TYPE: for each step, and each spread of its grid, how much of the outcome lies
    between the quartiles (`measure_centre`). Null where a unit has too little data for the spread:
    less than one expected click, or fewer than two trials.
    """

    def measure_centres(
        clicks: pd.Series,
        mean_clicks: pd.Series,
        carts: pd.Series,
        cart_rate: pd.Series,
        purchases: pd.Series,
        purchase_rate: pd.Series,
    ) -> pd.DataFrame:
        c, x, y = _to_floats(clicks), _to_floats(carts), _to_floats(purchases)
        mean, cart, purchase = (
            _to_floats(mean_clicks),
            _to_floats(cart_rate),
            _to_floats(purchase_rate),
        )
        by_click = [
            measure_centre(negative_binomial(c, mean, _fill_like(c, d))) for d in dispersions
        ]
        by_cart = [
            measure_centre(clustered_binomial(x, c, cart, _fill_like(c, r))) for r in correlations
        ]
        by_purchase = [
            measure_centre(clustered_binomial(y, x, purchase, _fill_like(c, r)))
            for r in correlations
        ]
        return pd.DataFrame(
            {
                "click": _mask_rows(by_click, mean >= 1.0),
                "cart": _mask_rows(by_cart, (c >= 2.0) & has_open_trial(c, cart)),
                "purchase": _mask_rows(by_purchase, (x >= 2.0) & has_open_trial(x, purchase)),
            }
        )

    wrap: Any = pandas_udf
    return wrap(measure_centres, CENTRE_TYPE)


def _step_score(step: Step, trials: Floats) -> Floats:
    counts, rate, correlation = step
    bounds: Bounds = clustered_binomial(counts, trials, rate, correlation)
    return np.where(has_open_trial(trials, rate), normal_score(bounds), 0.0)


def _step_information(trials: Floats, step: Step) -> Floats:
    _, rate, correlation = step
    design = 1.0 + np.maximum(trials - 1.0, 0.0) * correlation
    return np.asarray(trials * rate * (1.0 - rate) / design, np.float64)


def _mask_rows(by_spread: Sequence[Floats], tells: Any) -> list[Floats | None]:
    shares = np.stack(by_spread, axis=1)
    return [row if informs else None for row, informs in zip(shares, tells, strict=True)]


def _fill_like(values: Floats, value: float) -> Floats:
    return np.full(len(values), value)


def _to_floats(column: "pd.Series[Any]") -> Floats:
    return np.asarray(column, np.float64)


def negative_binomial(counts: Floats, mean: Floats, dispersion: Floats) -> Bounds:
    """Bound a Poisson count whose mean is gamma-distributed with shape k = 1 / dispersion.

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
    """Bound x successes among n trials of one unit; where nothing was tried, 0, 1, 0 and 1.

    Counts and trials are divided by the design effect 1 + (n - 1) * correlation (Rao and Scott
    1992) and read on the continuous binomial P(X <= x) = I_{1-r}(n - x, x + 1).
    """
    design = 1.0 + np.maximum(trials - 1.0, 0.0) * correlation
    n, x = trials / design, counts / design
    r = np.where(has_open_trial(trials, rate), rate, 0.5)
    left, some = np.maximum(n - x, TINY), np.maximum(x, TINY)
    up_to = np.where(x < n, betainc(left, x + 1.0, 1.0 - r), 1.0)
    below = np.where(x > 0, betainc(n - x + 1.0, some, 1.0 - r), 0.0)
    above = np.where(x < n, betainc(x + 1.0, left, r), 0.0)
    from_here = np.where(x > 0, betainc(some, n - x + 1.0, r), 1.0)
    return below, up_to, above, from_here


def has_open_trial(trials: Floats, rate: Floats) -> NDArray[np.bool_]:
    """Return where there is a trial whose outcome is open."""
    return np.asarray((trials > 0) & (rate > 0) & (rate < 1))


def normal_score(bounds: Bounds) -> Floats:
    """Compute z of the mid-p tails P(X < c) + P(X = c) / 2 and its like above (Lancaster 1961).

    Taken from the smaller tail: one near 1 has no digits left. Positive: c is large.
    """
    below, up_to, above, from_here = bounds
    lower, upper = (below + up_to) / 2.0, (above + from_here) / 2.0
    z = ndtri(np.maximum(np.minimum(lower, upper), TINY))
    return np.asarray(np.where(upper < lower, -z, z), np.float64)


def measure_centre(bounds: Bounds) -> Floats:
    """Measure the share of [P(X < c), P(X <= c)] between 1/4 and 3/4; its mean over c is 1/2."""
    below, up_to = bounds[:2]
    inside = np.minimum(up_to, 0.75) - np.maximum(below, 0.25)
    return np.asarray(np.clip(inside / np.maximum(up_to - below, TINY), 0.0, 1.0), np.float64)
