"""Pairs that nobody graded, taken as irrelevant: negatives of the relevance head.

Three kinds, each with a weight of its own in conf `training_set.negatives`: items that the query's
pages showed, items that were retrieved for it and not shown, and random items of the catalogue.
Only training queries that have a label get any, so that a negative always stands beside a grade; a
pair with a label of its own is none, whatever the label. Validation and test rows get none: what is
judged are grades.
"""

from collections.abc import Mapping
from functools import reduce

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from conf.schema import Conf
from features.draws import draw_hash

SOURCE = "assumed"
_PAIR = ["query_id", "item_id"]
_KINDS = ("shown", "retrieved", "random")
"""In the order in which a pair that is of several takes one."""


def find_negatives(
    labelled: DataFrame, pools: Mapping[str, DataFrame | None], conf: Conf
) -> DataFrame | None:
    """Find the negatives of the labelled training queries; None where conf gives them no weight.

    Args:
        labelled: of `labelled_pairs`.
        pools: query_id and item_id by kind, a pair may come more than once: `shown` on pages of the
            training days, `retrieved` for the run date, `random` of `draw_random_pairs`; None: no
            pairs.

    Returns:
        The columns of `labelled` and weight_relevance; one row per query and item. labeler_version
        says of which kind it is.
    """
    weights = conf.training_set.negatives.model_dump()
    used = {
        kind: pool for kind in _KINDS if weights[kind] > 0 and (pool := pools[kind]) is not None
    }
    if not used:
        return None
    graded = labelled.where("split = 'train'").select("query_id", "region", "split").distinct()
    parts = []
    for kind, pool in used.items():
        pairs = pool.select(*_PAIR).distinct().join(graded, on="query_id", how="inner")
        pairs = pairs.join(labelled.select(*_PAIR), on=_PAIR, how="left_anti")
        if kind == "retrieved":
            pairs = _take_some(_leave_out(pairs, pools["shown"]), conf)
        parts.append(
            pairs.select(
                *_PAIR,
                "region",
                "split",
                F.struct(
                    F.lit(_KINDS.index(kind)).alias("turn"),
                    F.lit(f"negative_{kind}").alias("labeler_version"),
                    F.lit(weights[kind]).cast("float").alias("weight"),
                ).alias("taken_as"),
            )
        )
    merged = reduce(DataFrame.unionByName, parts).groupBy(*_PAIR, "region", "split")
    return merged.agg(F.min("taken_as").alias("taken_as")).select(
        *_PAIR,
        F.lit(SOURCE).alias("label_source"),
        F.lit(0).alias("grade"),
        "taken_as.labeler_version",
        F.lit(True).alias("label_admitted"),
        F.lit(0.0).cast("float").alias("label_ge_1"),
        F.lit(0.0).cast("float").alias("label_ge_2"),
        "region",
        "split",
        F.col("taken_as.weight").alias("weight_relevance"),
    )


def _leave_out(pairs: DataFrame, shown: DataFrame | None) -> DataFrame:
    """Leave out the pairs that a page showed: to be shown is a kind of its own."""
    if shown is None:
        return pairs
    return pairs.join(shown.select(*_PAIR).distinct(), on=_PAIR, how="left_anti")


def _take_some(pairs: DataFrame, conf: Conf) -> DataFrame:
    """Take `retrieved_pairs` pairs of each query, by a hash."""
    hashed = draw_hash(conf.seed, "retrieved_negatives", *_PAIR)
    by_query = Window.partitionBy("query_id").orderBy(hashed, "item_id")
    most = conf.training_set.negatives.retrieved_pairs
    return (
        pairs.withColumn("_turn", F.row_number().over(by_query))
        .where(F.col("_turn") <= most)
        .drop("_turn")
    )
