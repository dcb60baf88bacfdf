"""Lists as served: the candidates scored for the run date, with the grades that people gave them.

All of a list's features are as of one day, unlike those of examples, which carry the day of the
page that showed them.
"""

from collections.abc import Callable, Mapping, Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from features.evaluation.rankers import BASELINES
from features.lookup import ITEM_KEY as ITEM
from features.lookup import PAIR_KEY as PAIR
from features.lookup import FeatureTables

CLEAR_GRADES = 2
"""Grades between the items of a clear pair: irrelevant against highly relevant."""


def served_rows(
    features: FeatureTables, labels: DataFrame, queries: DataFrame, test_buckets: Sequence[int]
) -> Callable[[DataFrame], DataFrame]:
    """Turn SCORES into rows of test queries with `bm25`, `popularity`, `grade` and `label_source`.

    Args:
        features: feature rows as of the run date.
        labels: one label per pair: query_id, item_id, grade, label_source.
        queries: the table queries.
        test_buckets: buckets of the test split.
    """
    words = features.query_item.select(*PAIR[1:], F.col(BASELINES["bm25"]).alias("bm25"))
    shelf = features.item.select(*ITEM[1:], F.col(BASELINES["popularity"]).alias("popularity"))

    def transform(scores: DataFrame) -> DataFrame:
        return (
            scores.transform(graded_rows(labels, queries, test_buckets))
            .join(words, on=list(PAIR[1:]), how="left")
            .join(shelf, on=list(ITEM[1:]), how="left")
        )

    return transform


def graded_rows(
    labels: DataFrame, queries: DataFrame, buckets: Sequence[int]
) -> Callable[[DataFrame], DataFrame]:
    """Keep the candidates of the queries in some buckets, and add `grade` and `label_source`.

    Args:
        labels: one label per pair: query_id, item_id, grade, label_source.
        queries: the table queries.
        buckets: buckets of a split.
    """
    chosen = queries.where(F.col("bucket").isin(*buckets)).select("query_id")
    graded = labels.select("query_id", "item_id", "grade", "label_source")

    def transform(rows: DataFrame) -> DataFrame:
        of_split = rows.join(chosen, on="query_id", how="left_semi")
        return of_split.join(graded, on=["query_id", "item_id"], how="left")

    return transform


def mixed_lists(rows: DataFrame) -> DataFrame:
    """Select the judged rows of queries for which people graded both a relevant and an irrelevant
    item.
    """
    of_people = rows.where(_by_people())
    both = of_people.groupBy("query_id").agg(
        F.max("grade").alias("most"), F.min("grade").alias("least")
    )
    mixed = both.where("most > 0 AND least = 0").select("query_id")
    return _with_query_unit(of_people.join(mixed, on="query_id", how="left_semi"))


def pooled_lists(rows: DataFrame) -> DataFrame:
    """Select all candidates of the queries with a relevant item; grade 0 where no person judged."""
    relevant = rows.where(_by_people() & (F.col("grade") > 0)).select("query_id").distinct()
    grade = F.when(_by_people(), F.col("grade")).otherwise(0)
    candidates = rows.join(relevant, on="query_id", how="left_semi")
    return _with_query_unit(candidates.withColumn("grade", grade))


def clear_pair_sums(rankers: Mapping[str, Column], metric: str) -> Callable[[DataFrame], DataFrame]:
    """Turn rows into block sums of the share of a query's clear pairs in the right order.

    A pair is two items that people graded two grades apart; equal scores count half. Columns as
    `features.evaluation.sums.block_sums`; `denominator` counts pairs, `lists` queries.
    """
    scores = F.array(*(s.cast("double") for s in rankers.values()))
    names = F.array(*map(F.lit, rankers))
    won = F.zip_with("better", "worse", _compare_scores)
    by_ranker = F.inline(F.arrays_zip(names.alias("ranker"), won.alias("won")))
    keys = ("block", "region", "query_id")

    def transform(rows: DataFrame) -> DataFrame:
        judged = rows.where(_by_people()).select(*keys, "grade", scores.alias("scores"))
        above = judged.select(*keys, F.col("grade").alias("upper"), F.col("scores").alias("better"))
        below = judged.select(
            "query_id", F.col("grade").alias("lower"), F.col("scores").alias("worse")
        )
        pairs = above.join(below, on="query_id", how="inner")
        clear = pairs.where(F.col("upper") - F.col("lower") >= CLEAR_GRADES)
        each = clear.select(*keys, by_ranker).groupBy(*keys, "ranker")
        by_query = each.agg(F.sum("won").alias("won"), F.count(F.lit(1)).alias("pairs"))
        zero = F.lit(0).cast("long")
        return by_query.groupBy("block", "region", "ranker").agg(
            F.lit(metric).alias("metric"),
            F.sum("won").alias("total"),
            F.sum("pairs").cast("double").alias("denominator"),
            F.count(F.lit(1)).alias("queries"),
            F.count(F.lit(1)).alias("lists"),
            *(zero.alias(reason) for reason in ("short", "masked", "no_positive")),
        )

    return transform


def with_truth(truth: DataFrame) -> Callable[[DataFrame], DataFrame]:
    """Add the planted `true_p_<task>` of the pair; null where nothing is planted."""
    planted = truth.select(
        "query_id", "item_id", *(f"true_p_{task}" for task in ("click", "cart", "purchase"))
    )
    return lambda rows: rows.join(planted, on=["query_id", "item_id"], how="left")


def _by_people() -> Column:
    judged = F.col("grade").isNotNull() & (F.col("label_source") == "human")
    return F.coalesce(judged, F.lit(False))


def _with_query_unit(rows: DataFrame) -> DataFrame:
    return rows.withColumn("unit", F.col("query_id"))


def _compare_scores(better: Column, worse: Column) -> Column:
    """Return 1 where the better item has the higher score, 1/2 for a tie; a null ranks last."""
    least = F.lit(float("-inf"))
    a, b = F.coalesce(better, least), F.coalesce(worse, least)
    return F.when(a > b, 1.0).when(a == b, 0.5).otherwise(0.0)
