"""Discounted gains of many rankers over many lists in one pass."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

LIST_KEYS = ("unit", "query_id", "region", "block")


def log_discounts(k: int) -> list[float]:
    """Return the discounts of DCG, 1 / log2(rank + 1), for the ranks 1..k."""
    return [1.0 / math.log2(rank + 1) for rank in range(1, k + 1)]


def discounted_gains(
    rankers: Mapping[str, Column], gains: Mapping[str, Column], discounts: Sequence[float]
) -> Callable[[DataFrame], DataFrame]:
    """Turn rows of items into one row per list and ranker, with its discounted gains.

    The items of equal score share the mean discount of the ranks that they fill (McSherry and
    Najork 2008; `model.evaluation.metrics.average_discounts`): nothing depends on the order of
    rows.
    Lists are brought together once, before the rankers multiply the rows.

    Args:
        rankers: name -> score, higher is better; null ranks last.
        gains: name -> gain; null where unknown.
        discounts: by rank from 1; later ranks count nothing.

    Returns:
        unit, query_id, region, block, ranker, items, and for each gain g: `dcg_g`, `ideal_g` (the
        best dcg_g that any order reaches), `known_g`, how many items have the gain, and `mass_g`,
        the sum of their gains.
    """
    scored = F.array(
        *(
            F.struct(F.lit(n).alias("ranker"), s.cast("double").alias("score"))
            for n, s in rankers.items()
        )
    )
    by_score = Window.partitionBy("unit", "ranker").orderBy(F.col("score").desc_nulls_last())
    to_peers = by_score.rangeBetween(Window.unboundedPreceding, Window.currentRow)
    share = _sum_discounts("last", "first", discounts) / (F.col("last") - F.col("first") + 1)

    def transform(rows: DataFrame) -> DataFrame:
        return (
            rows.select(
                *LIST_KEYS,
                *(g.cast("double").alias(n) for n, g in gains.items()),
                scored.alias("scored"),
            )
            .repartition("unit")
            .select(*LIST_KEYS, *gains, F.inline("scored"))
            .withColumn("first", F.rank().over(by_score))
            .withColumn("last", F.count(F.lit(1)).over(to_peers))
            .withColumn("share", share)
            .groupBy(*LIST_KEYS, "ranker")
            .agg(F.count(F.lit(1)).alias("items"), *_aggregate_gains(gains, discounts))
        )

    return transform


def normalise_gains(gains: Iterable[str]) -> Callable[[DataFrame], DataFrame]:
    """Turn `discounted_gains` into NDCG: a column g per gain, and `why_g` where it is null.

    A list says nothing where it has fewer than two items (`short`), where the gain of an item is
    not known yet (`masked`: to drop the item alone would leave only those with early good news),
    or where no item has a positive gain (`no_positive`).
    """

    def transform(lists: DataFrame) -> DataFrame:
        columns: list[Column] = []
        for g in gains:
            why = (
                F.when(F.col("items") < 2, "short")
                .when(F.col(f"known_{g}") < F.col("items"), "masked")
                .when(~(F.col(f"ideal_{g}") > 0), "no_positive")
            )
            ndcg = F.when(why.isNull(), F.try_divide(f"dcg_{g}", f"ideal_{g}"))
            columns += [ndcg.alias(g), why.alias(f"why_{g}")]
        return lists.select(*LIST_KEYS, "ranker", *columns)

    return transform


def _aggregate_gains(gains: Iterable[str], discounts: Sequence[float]) -> list[Column]:
    columns = []
    for g in gains:
        best = F.slice(F.sort_array(F.collect_list(g), asc=False), 1, len(discounts))
        columns += [
            F.coalesce(F.sum(F.col(g) * F.col("share")), F.lit(0.0)).alias(f"dcg_{g}"),
            _sum_products(best, discounts).alias(f"ideal_{g}"),
            F.count(g).alias(f"known_{g}"),
            F.coalesce(F.sum(g), F.lit(0.0)).alias(f"mass_{g}"),
        ]
    return columns


def _sum_discounts(last_rank: str, first_rank: str, discounts: Sequence[float]) -> Column:
    """Sum of the discounts of the ranks first..last."""
    sums = [0.0]
    for d in discounts:
        sums.append(sums[-1] + float(d))
    cumulative, k = F.array(*map(F.lit, sums)), len(discounts)
    upto = F.get(cumulative, F.least(F.col(last_rank), F.lit(k)).cast("int"))
    return upto - F.get(cumulative, F.least(F.col(first_rank) - 1, F.lit(k)).cast("int"))


def _sum_products(values: Column, discounts: Sequence[float]) -> Column:
    """Sum of value x discount over the values of an array no longer than `discounts`."""
    weights = F.array(*(F.lit(float(d)) for d in discounts))
    products = F.zip_with(values, weights, lambda v, d: F.coalesce(v * d, F.lit(0.0)))
    return F.aggregate(products, F.lit(0.0), lambda total, p: total + p)
