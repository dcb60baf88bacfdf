"""Sums of query blocks of every ranker and metric: what leaves Spark, bounded whatever the rows."""

from collections.abc import Mapping, Sequence
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from conf.sections.value import EvaluationConf
from model.evaluation.list_sums import COUNTS, ListMetric
from udfs.doubly_robust import make_robust_summer
from udfs.list_sums import KEYS, SUM_COLUMNS, SUMS, make_list_summer

_PAGES = 4_096
"""Pages of a query that are judged by each other at most, more or less (count): a head query has a
million, and a worker holds a group whole."""


def sum_lists_by_query(
    rows: DataFrame,
    rankers: Mapping[str, Column],
    gains: Mapping[str, Column],
    metrics: Sequence[ListMetric],
    discounts: Sequence[float],
) -> DataFrame:
    """Turn items of lists into sums of the metrics by query and ranker, in parts.

    The lists are brought together once, for all rankers and metrics.

    Args:
        rows: unit (of a list), query_id, region, block, and what the columns need.
        rankers: name -> score, higher is better; null or nan ranks last.
        gains: name -> gain; null or nan where it is not known.
        metrics: of the lists.
        discounts: by rank from 1; later ranks count nothing.

    Returns:
        Columns of `udfs.list_sums.SUMS`.
    """
    columns = [*gains.values(), *rankers.values()]  # by place: a ranker's name may hold a dot
    numbers = [column.cast("double").alias(f"n{i}") for i, column in enumerate(columns)]
    summer = make_list_summer(tuple(rankers), tuple(gains), tuple(metrics), list(discounts))
    lists = rows.select(*KEYS, *numbers).repartition("unit").sortWithinPartitions("unit")
    return lists.mapInArrow(summer, SUMS)


def sum_doubly_robust(
    rows: DataFrame,
    rankers: Mapping[str, Column],
    gain: Column,
    metric: str,
    curve: Sequence[float],
    reward: float,
    conf: EvaluationConf,
) -> DataFrame:
    """Turn items of result pages into the sums of doubly robust engagement by query and ranker.

    Only pages with a propensity are brought together, some thousand of a query at most: each is
    judged by the others.

    Args:
        rows: unit (of a page), query_id, item_id, region, block, position, propensity, and what the
            columns need.
        gain: null where it is not known.
        metric: name that the sums get.
        curve: relative examination by position.
        reward: gain that is expected of any item at position 1.

    Returns:
        Columns of `udfs.list_sums.SUMS`.
    """
    explored = rows.where(F.col("propensity") > 0).select("unit", "query_id").distinct()
    pages = explored.groupBy("query_id").agg(F.ceil(F.count("*") / _PAGES).alias("_groups"))
    groups = explored.join(pages, on="query_id", how="inner").select(
        "unit", "query_id", F.pmod(F.xxhash64("unit"), "_groups").alias("_group")
    )
    numbers = [
        F.col("unit").alias("page"),
        *(F.col(name) for name in ("item_id", "position")),
        gain.cast("double").alias("gain"),
        F.col("propensity").cast("double"),
    ]
    scores = [s.cast("double").alias(f"n{i}") for i, s in enumerate(rankers.values())]
    unit = F.concat_ws("|", "query_id", "_group").alias("unit")
    keys = [unit, *(F.col(name) for name in KEYS if name != "unit")]
    grouped = rows.join(groups, on=["unit", "query_id"], how="inner").select(
        *keys, *numbers, *scores
    )
    summer = make_robust_summer(
        tuple(rankers), metric, list(curve), reward, conf.max_weight, conf.k
    )
    return grouped.repartition("unit").sortWithinPartitions("unit", "page").mapInArrow(summer, SUMS)


def sum_blocks(*parts: DataFrame) -> DataFrame:
    """Sum the queries' figures by block.

    A head query with a million pages counts as much as any other query in a mean over lists.

    Args:
        parts: of `sum_lists_by_query`.

    Returns:
        block, region, ranker, metric, total and denominator (sums over queries: the figure is
        their ratio), queries, lists, and the lists left out by reason.
    """
    every = reduce(DataFrame.unionByName, parts)
    keys = ("block", "region", "ranker", "metric")
    by_query = every.groupBy(*keys, "query_id", "is_mean").agg(
        *(F.sum(name).alias(name) for name in SUM_COLUMNS)
    )
    counted = F.col("lists") > 0
    mean = F.coalesce(F.try_divide("total", "under"), F.lit(0.0))
    one = F.when(counted, 1.0).otherwise(0.0)
    return by_query.groupBy(*keys).agg(
        F.sum(F.when(F.col("is_mean"), mean).otherwise(F.col("total"))).alias("total"),
        F.sum(F.when(F.col("is_mean"), one).otherwise(F.col("under"))).alias("denominator"),
        F.count_if(counted).alias("queries"),
        *(F.sum(name).alias(name) for name in COUNTS),
    )
