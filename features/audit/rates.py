"""How pairs of a grade are engaged with: their mean rates and how much pairs differ around them.

Clicks of a unit with E expected ones are taken as negative binomial, mean scale * E and variance
mean + dispersion * mean^2: pairs of one grade differ in what the grade does not say. Carts among n
clicks (and purchases among n carts) have mean n * rate and the binomial variance times
1 + (n - 1) * correlation. All are fitted by moments, each unit of many trials weighing alike.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from features.history import MICRO

_DIGITS = 9
_LEAST_DISPERSION = 1e-4


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


def fit_rates(units: DataFrame) -> dict[int, GradeRates]:
    """The rates of each grade that is there; two small aggregates reach the driver.

    Args:
        units: grade, clicks, carts, purchases, expected (micro clicks).
    """
    sums = {row["grade"]: row.asDict() for row in _sums(units).collect()}
    rates = {
        grade: {
            "scale": _ratio(s["clicks"], s["expected"] / MICRO, 1.0),
            "cart": _ratio(s["carts"], s["clicks"], 0.0),
            "purchase": _ratio(s["purchases"], s["carts"], 0.0),
        }
        for grade, s in sums.items()
    }
    spreads = {row["grade"]: row.asDict() for row in _spreads(units, rates).collect()}
    return {grade: _rates_of(sums[grade], rates[grade], spreads[grade]) for grade in sorted(sums)}


def by_grade(values: Mapping[int, float]) -> Column:
    """The value of the row's grade (double); null where the grade has none."""
    if not values:
        return F.lit(None).cast("double")
    entries = (F.lit(part) for entry in values.items() for part in entry)
    return F.try_element_at(F.create_map(*entries), F.col("grade")).cast("double")


def rates_json(rates: Mapping[int, GradeRates]) -> dict[str, object]:
    """The rates for a report."""
    return {str(grade): asdict(rate) for grade, rate in rates.items()}


def _sums(units: DataFrame) -> DataFrame:
    names = ("clicks", "carts", "purchases", "expected")
    return units.groupBy("grade").agg(
        F.count(F.lit(1)).alias("units"), *(F.sum(name).alias(name) for name in names)
    )


def _spreads(units: DataFrame, rates: Mapping[int, Mapping[str, float]]) -> DataFrame:
    """Numerator and denominator of each spread, by grade.

    Clicks c of mean m: E[(c - m)^2 - m] = dispersion * m^2; a unit weighs 1 / (1 + m)^2.
    Step x of n trials at rate r: E[(x - n r)^2 - n r (1 - r)] = correlation * n (n - 1) r (1 - r);
    a unit weighs 1 / n^2.
    """
    scale, cart, purchase = (
        by_grade({g: r[name] for g, r in rates.items()}) for name in ("scale", "cart", "purchase")
    )
    mean = scale * F.col("expected") / MICRO
    weight = F.pow(1 + mean, F.lit(-2.0))
    moments = {
        "click": (
            weight * (F.pow(F.col("clicks") - mean, F.lit(2.0)) - mean),
            weight * mean * mean,
        ),
        "cart": _step_moments("carts", "clicks", cart),
        "purchase": _step_moments("purchases", "carts", purchase),
    }
    return units.groupBy("grade").agg(
        *(F.sum(over).alias(f"{name}_over") for name, (over, _) in moments.items()),
        *(F.sum(under).alias(f"{name}_under") for name, (_, under) in moments.items()),
    )


def _step_moments(happened: str, trials: str, rate: Column) -> tuple[Column, Column]:
    n = F.col(trials).cast("double")
    binomial = n * rate * (1 - rate)
    over = F.pow(F.col(happened) - n * rate, F.lit(2.0)) - binomial
    return (
        F.when(n > 0, over / (n * n)).otherwise(0.0),
        F.when(n > 0, (n - 1) * binomial / (n * n)).otherwise(0.0),
    )


def _rates_of(
    sums: Mapping[str, float], rates: Mapping[str, float], spreads: Mapping[str, float]
) -> GradeRates:
    """Rounded, so that the order in which Spark adds never shows."""
    click, cart, purchase = (
        _ratio(spreads[f"{name}_over"], spreads[f"{name}_under"], 0.0)
        for name in ("click", "cart", "purchase")
    )
    return GradeRates(
        units=int(sums["units"]),
        scale=_rounded(rates["scale"]),
        dispersion=max(_rounded(click), _LEAST_DISPERSION),
        cart=StepRate(_rounded(rates["cart"]), _rounded(min(max(cart, 0.0), 1.0))),
        purchase=StepRate(_rounded(rates["purchase"]), _rounded(min(max(purchase, 0.0), 1.0))),
    )


def _ratio(over: float, under: float, otherwise: float) -> float:
    return over / under if under > 0 else otherwise


def _rounded(value: float) -> float:
    return value if value == 0 or not math.isfinite(value) else float(f"{value:.{_DIGITS}g}")
