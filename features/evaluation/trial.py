"""What other weights change of the lists that are served: two orders of the same candidates."""

from collections.abc import Callable, Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

_PAIR = ("query_id", "item_id")


def beside_trial(trial: DataFrame) -> Callable[[DataFrame], DataFrame]:
    """Add `trial_value` and `trial_rank` to rows of SCORES.

    Args:
        trial: rows of SCORE_TRIALS of one trial.
    """
    tried = trial.select(
        *_PAIR, F.col("value").alias("trial_value"), F.col("rank").alias("trial_rank")
    )
    return lambda scores: scores.join(tried, on=list(_PAIR), how="inner")


def order_shifts(
    engagement: Column, discounts: Sequence[float], everywhere: str
) -> Callable[[DataFrame], DataFrame]:
    """Turn rows with both orders into one row per region, and one of all regions.

    Args:
        engagement: expected engagement of a row, by the model's own probabilities.
        discounts: by rank from 1 to the length of the lists that are looked at.
        everywhere: name of the row of all regions.

    Returns:
        region; queries; changed: share of the top k that others take (fraction); relevance_shift:
        mean over queries of the mean relevance of the top k, trial less served; engagement_kept:
        discounted expected engagement of the top k, trial over served (null where that has none).
    """
    k = len(discounts)
    served, tried = F.col("rank") <= k, F.col("trial_rank") <= k

    def transform(rows: DataFrame) -> DataFrame:
        by_query = (
            rows.where(served | tried)
            .withColumn("expected", engagement)
            .groupBy("region", "query_id")
            .agg(
                F.count_if(served).alias("items"),
                F.count_if(served & tried).alias("kept"),
                F.avg(F.when(served, F.col("relevance"))).alias("relevance"),
                F.avg(F.when(tried, F.col("relevance"))).alias("trial_relevance"),
                F.sum(F.when(served, _discount_engagement("rank", discounts))).alias("engaged"),
                F.sum(F.when(tried, _discount_engagement("trial_rank", discounts))).alias(
                    "trial_engaged"
                ),
            )
        )
        shift = F.avg(F.col("trial_relevance") - F.col("relevance"))
        return (
            by_query.rollup("region")
            .agg(
                F.grouping("region").alias("whole"),
                F.count(F.lit(1)).alias("queries"),
                (1.0 - F.sum("kept") / F.sum("items")).alias("changed"),
                shift.alias("relevance_shift"),
                F.try_divide(F.sum("trial_engaged"), F.sum("engaged")).alias("engagement_kept"),
            )
            .select(
                F.when(F.col("whole") == 1, F.lit(everywhere))
                .otherwise(F.col("region"))
                .alias("region"),
                "queries",
                "changed",
                "relevance_shift",
                "engagement_kept",
            )
        )

    return transform


def _discount_engagement(rank: str, discounts: Sequence[float]) -> Column:
    values = F.array(*map(F.lit, discounts))
    return F.col("expected") * F.get(values, F.col(rank) - 1)
