"""Lists as served: the candidates scored for the run date, with the grades that people gave them.

All of a list's features are as of one day, unlike those of examples, which carry the day of the
page that showed them.
"""

from collections.abc import Callable, Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from features.evaluation.rankers import BASELINES
from features.lookup import ITEM_KEY as ITEM
from features.lookup import PAIR_KEY as PAIR
from features.lookup import FeatureTables


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


def with_truth(truth: DataFrame) -> Callable[[DataFrame], DataFrame]:
    """Add the planted `true_p_<task>` of the pair; null where nothing is planted."""
    planted = truth.select(
        "query_id", "item_id", *(f"true_p_{task}" for task in ("click", "cart", "purchase"))
    )
    return lambda rows: rows.join(planted, on=["query_id", "item_id"], how="left")
