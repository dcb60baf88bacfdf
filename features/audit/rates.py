"""How pairs of a grade are engaged with: their mean rates and how much pairs differ around them.

Clicks of a unit with E expected ones are taken as negative binomial, mean scale * E and variance
mean + dispersion * mean^2: pairs of one grade differ in what the grade does not say. Carts among n
clicks (and purchases among n carts) have mean n * rate and the binomial variance times
1 + (n - 1) * correlation.

Rates are ratios of sums. A spread is the least of a grid under which half of the units lie between
their distribution's quartiles. Moments would not do: wrong grades lie far out, widen the spread and
so hide themselves; the middle half is hardly moved by a few wrong grades.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from features.log.history import MICRO

DISPERSIONS = tuple(round(0.01 * 1.3**n, 6) for n in range(27))
CORRELATIONS = (*(round(0.002 * 1.4**n, 6) for n in range(18)), 1.0)
_DIGITS = 9
"""Significant digits that are kept: sums in another order differ beyond them."""
_LEAST_UNITS = 30
"""With fewer units the share in the middle half says little of the spread."""
_WIDE = {"click": 1.0, "cart": 0.3, "purchase": 0.3}
"""Spreads that are taken where too few units tell of them: wide, so that little is flagged."""

Centres = Callable[..., Column]
"""`udfs.contradiction.centre_udf(DISPERSIONS, CORRELATIONS)`."""


@dataclass(frozen=True)
class StepRate:
    """A step of the funnel given the one before: its rate and the correlation within a unit."""

    rate: float
    correlation: float


@dataclass(frozen=True)
class GradeRates:
    """Engagement of the units of one grade.

    Attributes:
        units: units that the estimate rests on (count).
        scale: clicks over expected clicks (ratio).
        dispersion: variance of a unit's click rate around the mean, relative to its square.
        cart: carts given clicks.
        purchase: purchases given carts.
    """

    units: int
    scale: float
    dispersion: float
    cart: StepRate
    purchase: StepRate


def fit_rates(units: DataFrame, centres: Centres) -> dict[int, GradeRates]:
    """Fit the rates of each grade among the units; two small aggregates reach the driver.

    A spread that rests on fewer than 30 units is taken as wide, so that little is flagged.

    Args:
        units: grade, clicks, carts, purchases, expected (micro clicks).
    """
    sums = {row["grade"]: row.asDict() for row in _sum_by_grade(units).collect()}
    rates = {
        grade: {
            "click": _divide_or(s["clicks"], s["expected"] / MICRO, 1.0),
            "cart": _divide_or(s["carts"], s["clicks"], 0.0),
            "purchase": _divide_or(s["purchases"], s["carts"], 0.0),
        }
        for grade, s in sums.items()
    }
    middles = {
        row["grade"]: row.asDict() for row in _measure_middles(units, rates, centres).collect()
    }
    return {g: _rates_of(int(sums[g]["units"]), rates[g], middles[g]) for g in sorted(sums)}


def by_grade(values: Mapping[int, float]) -> Column:
    """Look up the value of the row's grade (double); null where the grade has none."""
    if not values:
        return F.lit(None).cast("double")
    entries = (F.lit(part) for entry in values.items() for part in entry)
    return F.try_element_at(F.create_map(*entries), F.col("grade")).cast("double")


def rates_json(rates: Mapping[int, GradeRates]) -> dict[str, object]:
    """Return the rates as plain JSON for a report."""
    return {str(grade): asdict(rate) for grade, rate in rates.items()}


def spread_of(grid: Sequence[float], middle: Sequence[float]) -> float:
    """Find the spread at which the share of units in the middle half first reaches one half.

    Args:
        grid: spreads, ascending.
        middle: the share for each of them; linear in between.
    """
    at = next((n for n, share in enumerate(middle) if share >= 0.5), None)
    if at is None or at == 0:
        return grid[-1] if at is None else grid[0]
    part = (0.5 - middle[at - 1]) / (middle[at] - middle[at - 1])
    return grid[at - 1] + part * (grid[at] - grid[at - 1])


def _sum_by_grade(units: DataFrame) -> DataFrame:
    names = ("clicks", "carts", "purchases", "expected")
    return units.groupBy("grade").agg(
        F.count(F.lit(1)).alias("units"), *(F.sum(name).alias(name) for name in names)
    )


def _measure_middles(
    units: DataFrame, rates: Mapping[int, Mapping[str, float]], centres: Centres
) -> DataFrame:
    """Return, by grade and step, how many units tell of the spread and their mean
    share per spread.
    """
    click, cart, purchase = (
        by_grade({g: r[step] for g, r in rates.items()}) for step in ("click", "cart", "purchase")
    )
    shares = centres(
        F.col("clicks").cast("double"),
        click * F.col("expected") / MICRO,
        F.col("carts").cast("double"),
        cart,
        F.col("purchases").cast("double"),
        purchase,
    )
    steps = {"click": DISPERSIONS, "cart": CORRELATIONS, "purchase": CORRELATIONS}
    counts = [F.count(f"shares.{step}").alias(f"{step}_units") for step in steps]
    means = [
        F.array(*(F.avg(F.get(f"shares.{step}", F.lit(n))) for n in range(len(grid)))).alias(step)
        for step, grid in steps.items()
    ]
    return units.select("grade", shares.alias("shares")).groupBy("grade").agg(*counts, *means)


def _rates_of(
    units: int, rates: Mapping[str, float], middles: Mapping[str, Sequence[float]]
) -> GradeRates:
    """Round rates and spreads, so that the order in which Spark adds never shows."""
    grids = {"click": DISPERSIONS, "cart": CORRELATIONS, "purchase": CORRELATIONS}
    spreads = {
        step: spread_of(grid, middles[step]) if _has_enough_units(middles, step) else _WIDE[step]
        for step, grid in grids.items()
    }
    return GradeRates(
        units=units,
        scale=_round_digits(rates["click"]),
        dispersion=_round_digits(spreads["click"]),
        cart=StepRate(_round_digits(rates["cart"]), _round_digits(spreads["cart"])),
        purchase=StepRate(_round_digits(rates["purchase"]), _round_digits(spreads["purchase"])),
    )


def _has_enough_units(middles: Mapping[str, object], step: str) -> bool:
    return int(str(middles[f"{step}_units"])) >= _LEAST_UNITS


def _divide_or(over: float, under: float, otherwise: float) -> float:
    return over / under if under > 0 else otherwise


def _round_digits(value: float) -> float:
    return value if value == 0 or not math.isfinite(value) else float(f"{value:.{_DIGITS}g}")
