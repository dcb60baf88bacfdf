"""Scores beside the planted truth of a simulated market; for checks, never for training."""

from collections.abc import Callable, Mapping, Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from features.contracts.training import TASKS
from features.draws import draw_hash, take_share
from features.evaluation.lists import relevance_gains
from features.evaluation.ranking import discounted_gains, log_discounts, normalise_gains


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


def true_outcomes(
    rankers: Mapping[str, Column], combined: Column, examination: Sequence[float]
) -> Callable[[DataFrame], DataFrame]:
    """Turn test pairs into what each ranker truly brings among the first ranks of a query's
    candidates.

    Args:
        rankers: name -> score.
        combined: weighted sum of the true probabilities.
        examination: P(examined) at the ranks 1..k, over that at rank 1.

    Returns:
        ranker; relevance (mean NDCG@k of the true grades) and relevance_queries; click, cart,
        purchase and combined (mean over queries of the sum of true probability x examination)
        and queries.
    """
    discounts = log_discounts(len(examination))
    gains = {task: F.col(f"true_p_{task}") for task in TASKS} | {"combined": combined}
    grades = {"relevance": relevance_gains(F.col("true_grade"))["exp"]}

    def transform(pairs: DataFrame) -> DataFrame:
        lists = pairs.where("test").select(
            "*", F.col("query_id").alias("unit"), F.lit(0).alias("block")
        )
        ranked = lists.transform(discounted_gains(rankers, grades, discounts))
        ndcg = ranked.transform(normalise_gains(grades)).groupBy("ranker")
        seen = lists.transform(discounted_gains(rankers, gains, examination)).groupBy("ranker")
        relevance = ndcg.agg(
            F.avg("relevance").alias("relevance"), F.count("relevance").alias("relevance_queries")
        )
        expected = [F.avg(f"dcg_{gain}").alias(gain) for gain in gains]
        engaged = seen.agg(*expected, F.count(F.lit(1)).alias("queries"))
        return engaged.join(relevance, on="ranker", how="left")

    return transform


def grade_confusion(labels: DataFrame, truth: DataFrame) -> DataFrame:
    """Count the pairs of each human grade and true grade: at most nine rows."""
    human = labels.where("source = 'human'").select("query_id", "item_id", "grade")
    planted = truth.select("query_id", "item_id", "true_grade")
    joined = human.join(planted, on=["query_id", "item_id"], how="inner")
    return joined.groupBy("grade", "true_grade").agg(F.count(F.lit(1)).alias("pairs"))
