"""Engagement weighed against the logger's choice, and the sample that such a figure rests on."""

from collections.abc import Callable, Mapping

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from conf.sections.value import Weights
from features.evaluation.lists import engagement_gains

WEIGHED = ("debiased", "off_policy")
ROBUST = "doubly_robust"
"""Yardstick of the log and a reward model together."""


def weighed_gains(
    weights: Mapping[str, Weights], default: Weights, examination: Column, cap: float
) -> dict[str, Column]:
    """Weigh the engagement sum_t w_t y_t of a row by 1 / examination, and by 1 / propensity up to
    `cap`.

    Null where a label or the propensity is not known: the row's page does not count then.
    """
    combined = engagement_gains(weights, default)["combined"]
    inverse = F.when(F.col("propensity") > 0, F.least(1.0 / F.col("propensity"), F.lit(cap)))
    return {"debiased": combined / examination, "off_policy": combined * inverse}


def weighed_samples(
    gains: Mapping[str, Column], engagement: Column, examination: Column
) -> Callable[[DataFrame], DataFrame]:
    """Turn pages of items into one row: for each gain g the sample that its ratio rests on.

    Args:
        gains: name -> weighed gain.
        engagement: gain of a row as logged; null where a label is not known.
        examination: relative examination of the row's position.

    Returns:
        pages; `effective_g`, (sum g)^2 / sum g^2 over the rows (Kish 1965), and `pages_g`, pages
        that have some of it; `reward`, all engagement divided by all examination.
    """
    looked = F.when(engagement.isNotNull(), examination)

    def transform(rows: DataFrame) -> DataFrame:
        given = {**gains, "engagement": engagement, "looked": looked}
        named = rows.select("unit", *(g.cast("double").alias(n) for n, g in given.items()))
        by_page = [F.sum(name).alias(name) for name in ("engagement", "looked")]
        reward = F.try_divide(F.sum("engagement"), F.sum("looked"))
        totals = [
            F.count(F.lit(1)).alias("pages"),
            F.coalesce(reward, F.lit(0.0)).alias("reward"),
        ]
        for g in gains:
            complete = F.count(g) == F.count(F.lit(1))
            by_page += [
                F.when(complete, F.sum(g)).alias(f"sum_{g}"),
                F.when(complete, F.sum(F.col(g) * F.col(g))).alias(f"squares_{g}"),
            ]
            total = F.sum(f"sum_{g}")
            size = F.try_divide(total * total, F.sum(f"squares_{g}"))
            totals += [
                F.coalesce(size, F.lit(0.0)).alias(f"effective_{g}"),
                F.count_if(F.col(f"sum_{g}") > 0).alias(f"pages_{g}"),
            ]
        return named.groupBy("unit").agg(*by_page).agg(*totals)

    return transform
