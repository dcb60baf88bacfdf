"""How far the engagement of a unit lies from what its grade brings, in Spark's Python workers.

Each step gives a mid-p (Lancaster 1961) upper tail, turned into a normal score z: positive for
too much engagement. Given the step before, a step's score is standard normal whatever that one
was, so the scores add up by Stouffer's method, each weighted by the root of the information that
its trials carry: a unit without clicks is judged by its clicks alone.
"""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pyspark.sql.pandas.functions import pandas_udf
from scipy.special import betainc, ndtr, ndtri

Floats = NDArray[np.float64]
RESULT_TYPE = "struct<z_click: double, z_cart: double, z_purchase: double, z: double, p: double>"
_TINY = 1e-300


def contradiction_udf() -> Any:
    """A pandas UDF of nine double columns, in the order of `contradiction`; RESULT_TYPE."""

    def contradict(
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
        click = clicks, mean_clicks, dispersion
        cart = carts, cart_rate, cart_correlation
        purchase = purchases, purchase_rate, purchase_correlation
        return pd.DataFrame(contradiction(*map(_arrays, (click, cart, purchase))))

    wrap: Any = pandas_udf
    return wrap(contradict, RESULT_TYPE)


def contradiction(
    click: tuple[Floats, Floats, Floats],
    cart: tuple[Floats, Floats, Floats],
    purchase: tuple[Floats, Floats, Floats],
) -> dict[str, Floats]:
    """z_click, z_cart, z_purchase, z and the two-sided p of N units, [N] each.

    Args:
        click: clicks, their mean under the grade, and the dispersion of pairs of the grade.
        cart: carts, their rate given a click, and the correlation within a unit.
        purchase: likewise given a cart.
    """
    clicks, mean, dispersion = click
    z = {
        "z_click": normal_score(*negative_binomial_tails(clicks, mean, dispersion)),
        "z_cart": normal_score(*clustered_binomial_tails(cart[0], clicks, cart[1], cart[2])),
        "z_purchase": normal_score(
            *clustered_binomial_tails(purchase[0], cart[0], purchase[1], purchase[2])
        ),
    }
    information = np.stack(
        [
            mean / (1.0 + dispersion * mean),
            _step_information(clicks, cart[1], cart[2]),
            _step_information(cart[0], purchase[1], purchase[2]),
        ]
    )
    weights = np.sqrt(information)
    norm = np.sqrt(information.sum(axis=0))
    total = (weights * np.stack(list(z.values()))).sum(axis=0) / np.maximum(norm, _TINY)
    return {**z, "z": total, "p": np.minimum(1.0, 2.0 * ndtr(-np.abs(total)))}


def negative_binomial_tails(
    counts: Floats, mean: Floats, dispersion: Floats
) -> tuple[Floats, Floats]:
    """Mid-p P(X < c) + P(X = c) / 2 and P(X > c) + P(X = c) / 2 of counts c.

    X is Poisson with a gamma-distributed mean of shape k = 1 / dispersion. With p = k / (k + mean),
    P(X <= c) = I_p(k, c + 1), I the regularised incomplete beta function.
    """
    shape = 1.0 / dispersion
    p = shape / (shape + mean)
    q = mean / (shape + mean)
    below = np.where(counts > 0, betainc(shape, np.maximum(counts, 1.0), p), 0.0)
    up_to = betainc(shape, counts + 1.0, p)
    above = betainc(counts + 1.0, shape, q)
    from_here = np.where(counts > 0, betainc(np.maximum(counts, 1.0), shape, q), 1.0)
    return (below + up_to) / 2.0, (above + from_here) / 2.0


def clustered_binomial_tails(
    counts: Floats, trials: Floats, rate: Floats, correlation: Floats
) -> tuple[Floats, Floats]:
    """Mid-p tails of x successes among n trials of one unit; 1/2 and 1/2 where n = 0.

    Counts and trials are divided by the design effect 1 + (n - 1) * correlation (Rao and Scott
    1992) and read on the continuous binomial P(X <= x) = I_{1-r}(n - x, x + 1).
    """
    design = 1.0 + np.maximum(trials - 1.0, 0.0) * correlation
    n, x = trials / design, counts / design
    tried = (trials > 0) & (rate > 0) & (rate < 1)
    r = np.where(tried, rate, 0.5)
    up_to = np.where(x < n, betainc(np.maximum(n - x, _TINY), x + 1.0, 1.0 - r), 1.0)
    below = np.where(x > 0, betainc(n - x + 1.0, np.maximum(x, _TINY), 1.0 - r), 0.0)
    above = np.where(x < n, betainc(x + 1.0, np.maximum(n - x, _TINY), r), 0.0)
    from_here = np.where(x > 0, betainc(np.maximum(x, _TINY), n - x + 1.0, r), 1.0)
    lower = np.where(tried, (below + up_to) / 2.0, 0.5)
    upper = np.where(tried, (above + from_here) / 2.0, 0.5)
    return lower, upper


def normal_score(lower: Floats, upper: Floats) -> Floats:
    """z of mid-p tails, from the smaller one: a tail near 1 has no digits left."""
    small = np.maximum(np.minimum(lower, upper), _TINY)
    return np.where(upper < lower, -ndtri(small), ndtri(small))


def _step_information(trials: Floats, rate: Floats, correlation: Floats) -> Floats:
    design = 1.0 + np.maximum(trials - 1.0, 0.0) * correlation
    return np.asarray(trials * rate * (1.0 - rate) / design)


def _arrays(columns: tuple[pd.Series, ...]) -> Any:
    return tuple(np.asarray(column, np.float64) for column in columns)
