"""The planted truth over lists that hold items outside the market."""

from collections.abc import Callable

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from conf.sections.value import EvaluationConf, Weights
from features.contracts import MARKET_TRUTH
from features.evaluation.served import with_truth
from jobs.reports.list_sums import sum_blocks
from jobs.reports.yardsticks import Yardsticks

Frame = Callable[..., DataFrame]


def test_items_without_planted_outcomes_are_left_out_of_their_list(
    spark: SparkSession, table_frame: Frame
) -> None:
    """The order is x, b, a; the market plants a (.6) and b (.3) only."""
    known = {"query_id": "q", "region": "us", "true_p_cart": 0.0, "true_p_purchase": 0.0}
    truth = table_frame(
        MARKET_TRUTH,
        [known | {"item_id": i, "true_p_click": p} for i, p in (("a", 0.6), ("b", 0.3))],
    )
    rows = spark.createDataFrame(
        [("q", "q", "us", 0, item, score) for item, score in (("x", 3.0), ("b", 2.0), ("a", 1.0))],
        "unit string, query_id string, region string, block int, item_id string, score double",
    )
    clicks = Weights(click=1.0, cart=0.0, purchase=0.0, relevance=0.0)
    yard = Yardsticks({"it": F.col("score")}, {}, clicks, [1.0], EvaluationConf())
    [metric] = [
        m for m in yard.list_served_metrics(all_labels=True, with_truth=True) if "true" in m.name
    ]
    sums = sum_blocks(yard.sum_lists(rows.transform(with_truth(truth)), [metric]))
    [found] = sums.collect()
    assert found["metric"] == "engagement_true_candidates@10"
    second = 0.6309
    ndcg = (0.3 + 0.6 * second) / (0.6 + 0.3 * second)
    assert found["total"] == pytest.approx(ndcg, abs=1e-4)
    assert (found["lists"], found["masked"]) == (1, 0)
