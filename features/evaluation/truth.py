"""Scores beside the planted truth of a simulated market; for checks, never for training."""

from collections.abc import Callable, Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from features.draws import draw_hash, take_share


def beside_truth(
    truth: DataFrame, queries: DataFrame, test_buckets: Sequence[int]
) -> Callable[[DataFrame], DataFrame]:
    """Keep the scored pairs whose truth is known, and add `true_...` and `test` (a test query)."""
    planted = truth.drop("region")
    split = queries.select("query_id", F.col("bucket").isin(*test_buckets).alias("test"))

    def transform(scores: DataFrame) -> DataFrame:
        matched = scores.join(planted, on=["query_id", "item_id"], how="inner")
        return matched.join(split, on="query_id", how="inner")

    return transform


def pair_sample(seed: int, share: float) -> Callable[[DataFrame], DataFrame]:
    """Draw about `share` of the pairs, by a hash of (seed, query, item)."""
    drawn = take_share(draw_hash(seed, "truth", "query_id", "item_id"), share)
    return lambda pairs: pairs.where(drawn)


def grade_confusion(labels: DataFrame, truth: DataFrame) -> DataFrame:
    """Count the pairs of each human grade and true grade: at most nine rows."""
    human = labels.where("source = 'human'").select("query_id", "item_id", "grade")
    planted = truth.select("query_id", "item_id", "true_grade")
    joined = human.join(planted, on=["query_id", "item_id"], how="inner")
    return joined.groupBy("grade", "true_grade").agg(F.count(F.lit(1)).alias("pairs"))
