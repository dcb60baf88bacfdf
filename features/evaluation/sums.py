"""From lists to sums of query blocks: what leaves Spark, bounded whatever the number of rows."""

from collections.abc import Callable, Mapping

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from features.evaluation.ranking import discounted_gains, log_discounts, normalise_gains

REASONS = ("short", "masked", "no_positive")


def ranked_sums(
    rankers: Mapping[str, Column], gains: Mapping[str, Column], metrics: Mapping[str, str], k: int
) -> Callable[[DataFrame], DataFrame]:
    """Turn lists of items into block sums of NDCG@k for every ranker and gain.

    Args:
        rankers: name -> score.
        gains: gain column -> gain.
        metrics: gain column -> name of its metric.
        k: cut-off (ranks).
    """

    def transform(rows: DataFrame) -> DataFrame:
        return (
            rows.transform(discounted_gains(rankers, gains, log_discounts(k)))
            .transform(normalise_gains(gains))
            .transform(query_means(list(gains)))
            .transform(block_sums(metrics))
        )

    return transform


def query_means(gains: list[str]) -> Callable[[DataFrame], DataFrame]:
    """Turn lists with NDCG columns into one row per query and ranker: the mean over the query's
    lists.

    A head query with a million pages counts as much as any other query. Beside each mean g stand
    `denominator_g` (1: a mean over queries), `lists_g` and, by reason, how many lists were left
    out.
    """

    def transform(lists: DataFrame) -> DataFrame:
        columns: list[Column] = []
        for g in gains:
            columns += [F.avg(g).alias(g), F.count(g).alias(f"lists_{g}")]
            columns += [F.when(F.count(g) > 0, 1.0).alias(f"denominator_{g}")]
            columns += [F.count_if(F.col(f"why_{g}") == r).alias(f"{r}_{g}") for r in REASONS]
        return lists.groupBy("block", "region", "query_id", "ranker").agg(*columns)

    return transform


def block_sums(metrics: Mapping[str, str]) -> Callable[[DataFrame], DataFrame]:
    """Turn query means into one row per block, region, ranker and metric.

    Args:
        metrics: gain column -> name of its metric.

    Returns:
        block, region, ranker, metric, total and denominator (sums over queries: the figure is
        their ratio), queries, lists, and the lists left out by reason.
    """

    def transform(means: DataFrame) -> DataFrame:
        sums: list[Column] = []
        for g in metrics:
            sums += [F.sum(g).alias(g), F.count(g).alias(f"queries_{g}")]
            sums += [F.sum(f"denominator_{g}").alias(f"denominator_{g}")]
            sums += [F.sum(f"{c}_{g}").alias(f"{c}_{g}") for c in ("lists", *REASONS)]
        packed = F.array(*(_pack_sums(g, name) for g, name in metrics.items()))
        keys = ("block", "region", "ranker")
        return means.groupBy(*keys).agg(*sums).select(*keys, F.inline(packed))

    return transform


def _pack_sums(gain: str, metric: str) -> Column:
    counts = (F.col(f"{c}_{gain}").alias(c) for c in ("queries", "lists", *REASONS))
    total = F.coalesce(F.col(gain), F.lit(0.0)).alias("total")
    under = F.coalesce(F.col(f"denominator_{gain}"), F.lit(0.0)).alias("denominator")
    return F.struct(F.lit(metric).alias("metric"), total, under, *counts)
