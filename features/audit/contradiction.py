"""Units whose engagement contradicts their grade, at a controlled false discovery rate."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from conf.sections.audit import ContradictionConf
from features.audit.discovery import with_q_values
from features.audit.null import fit_null
from features.audit.rates import Centres, GradeRates, by_grade, fit_rates
from features.log.history import MICRO


@dataclass(frozen=True)
class Numerics:
    """What runs in Spark's Python workers; see `udfs.contradiction`.

    Attributes:
        scores: `contradiction_udf()`: nine columns in, a struct with z and p out.
        centres: `centre_udf(DISPERSIONS, CORRELATIONS)`, which the spreads are fitted with.
        p_value: `p_value_udf()`: score and grade in, p out.
    """

    scores: Callable[..., Column]
    centres: Centres
    p_value: Callable[..., Column]


def fit_without_outliers(
    units: DataFrame, conf: ContradictionConf, numerics: Numerics
) -> dict[int, GradeRates]:
    """Fit the rates of each grade on the units that do not contradict it.

    Each pass leaves out the units whose p-value under the pass before is below `outlier_p`.

    Args:
        units: of `features.audit.evidence`, read `2 * passes` times: persist them.
    """
    rates = fit_rates(units, numerics.centres)
    for _ in range(conf.passes - 1):
        scored = units.transform(lambda df, pass_rates=rates: with_scores(df, pass_rates, numerics))
        rates = fit_rates(scored.where(F.col("p") >= conf.outlier_p), numerics.centres)
    return rates


def with_scores(units: DataFrame, rates: Mapping[int, GradeRates], numerics: Numerics) -> DataFrame:
    """Add expected_clicks, expected_carts, expected_purchases, and z and p of the engagement.

    Carts are expected of the clicks that came, purchases of the carts that came.
    """
    expected = by_grade({g: r.scale for g, r in rates.items()}) * F.col("expected") / MICRO
    cart = by_grade({g: r.cart.rate for g, r in rates.items()})
    purchase = by_grade({g: r.purchase.rate for g, r in rates.items()})
    score = numerics.scores(
        *_gather_step_columns(
            "clicks", expected, by_grade({g: r.dispersion for g, r in rates.items()})
        ),
        *_gather_step_columns(
            "carts", cart, by_grade({g: r.cart.correlation for g, r in rates.items()})
        ),
        *_gather_step_columns(
            "purchases", purchase, by_grade({g: r.purchase.correlation for g, r in rates.items()})
        ),
    )
    return (
        units.withColumns(
            {
                "expected_clicks": expected,
                "expected_carts": F.col("clicks") * cart,
                "expected_purchases": F.col("carts") * purchase,
                "_score": score,
            }
        )
        .withColumns({"z": F.col("_score.z"), "p": F.col("_score.p")})
        .drop("_score")
    )


def checked_units(
    units: DataFrame,
    rates: Mapping[int, GradeRates],
    conf: ContradictionConf,
    numerics: Numerics,
) -> DataFrame:
    """Return the units with engagement_z, p_value, q_value and contradicts (1, -1 or 0).

    A unit is tested where its grade lets expect enough clicks; without a test they are null.
    contradicts is 1 where the engagement is too much for the grade at q <= fdr, -1 where it is too
    little, else 0. No engagement is too much for grade 2 or too little for grade 0.

    Args:
        units: read twice; persist them.
    """
    scored = units.transform(lambda df: with_scores(df, rates, numerics))
    is_tested = F.col("expected_clicks") >= conf.min_expected_clicks
    null = fit_null(scored.where(is_tested))
    centre = by_grade({grade: fit.centre for grade, fit in null.items()})
    width = by_grade({grade: fit.width for grade, fit in null.items()})
    is_discovery = F.coalesce(F.col("q_value") <= conf.fdr, F.lit(False))
    return (
        scored.withColumn("engagement_z", F.when(is_tested, (F.col("z") - centre) / width))
        .withColumn(
            "p_value", F.when(is_tested, numerics.p_value(F.col("engagement_z"), F.col("grade")))
        )
        .drop("z", "p", "expected")
        .transform(with_q_values)
        .withColumn(
            "contradicts", F.when(is_discovery, F.signum("engagement_z")).otherwise(0.0).cast("int")
        )
    )


def _gather_step_columns(counts: str, *others: Column) -> tuple[Column, ...]:
    return (F.col(counts).cast("double"), *others)
