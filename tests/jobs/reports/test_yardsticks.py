"""The planted truth over lists that hold items outside the market, and doubly robust engagement."""

from collections.abc import Callable

import numpy as np
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from conf.sections.value import EvaluationConf, Weights
from features.contracts import EXAMPLE_SCORES, MARKET_TRUTH
from features.evaluation.served import with_truth
from jobs.reports.list_sums import sum_blocks
from jobs.reports.yardsticks import Yardsticks
from model.evaluation.engagement import Shown, measure_doubly_robust

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


def test_pages_with_propensities_are_judged_by_the_clicks_of_the_other(
    spark: SparkSession, table_frame: Frame
) -> None:
    """Two pages of a query, a above b and b above a, each place as likely as not; a is clicked on
    the first. The page without a propensity does not count."""
    shared = {"query_id": "q", "region": "us"} | dict.fromkeys(
        ("mask_click", "mask_cart", "mask_purchase"), 1.0
    )
    pages = {"one": "ab", "two": "ba", "unknown": "ab"}
    rows = [
        shared
        | {"search_id": page, "item_id": item, "position": float(place)}
        | {"label_click": float(item == "a" and page != "two")}
        | {"propensity": None if page == "unknown" else 0.5, "popularity": float(item == "a")}
        for page, items in pages.items()
        for place, item in enumerate(items, start=1)
    ]
    clicks = Weights(click=1.0, cart=0.0, purchase=0.0, relevance=0.0)
    score = F.col("popularity")
    yard = Yardsticks({"up": score, "down": -score}, {}, clicks, [1.0, 0.5], EvaluationConf())
    frame = table_frame(EXAMPLE_SCORES, rows).withColumn("block", F.lit(3))
    samples = yard.measure_samples(frame)
    assert samples["reward"] == pytest.approx(2 / 4.5)  # clicks by examination, of every page
    assert yard.sum_robust(frame, samples) == []  # two clicks are too few
    (sums,) = yard.sum_robust(frame, samples | {"effective_off_policy": 30.0})
    found = {r["ranker"]: r for r in sums.collect()}
    shown = Shown(
        page=np.asarray([0, 0, 1, 1]),
        query=np.zeros(4, np.int64),
        pair=np.asarray([0, 1, 1, 0]),
        position=np.asarray([1, 2, 1, 2]),
        gains=np.asarray([1.0, 0, 0, 0]),
        propensity=np.full(4, 0.5),
        k=10,
    )
    for ranker, order in (("up", [1.0, 0, 0, 1]), ("down", [0.0, 1, 1, 0])):
        reward = np.full(4, 2 / 4.5)
        one = measure_doubly_robust(shown, np.asarray(order), np.asarray([1, 0.5]), reward, 1000.0)
        row = found[ranker]
        assert row["total"] / row["under"] == pytest.approx(one.value)
        assert (row["metric"], row["block"]) == ("engagement_doubly_robust@10", 3)
        assert (row["lists"], row["masked"]) == (2, 0)


def test_pages_of_a_head_query_are_judged_in_groups(
    spark: SparkSession, table_frame: Frame, monkeypatch: pytest.MonkeyPatch
) -> None:
    """40 equal pages: each group says the same, a page that two queries share counts in both."""
    shared = {"region": "us", "propensity": 0.5, "mask_click": 1.0, "mask_cart": 1.0}
    shared |= {"mask_purchase": 1.0, "simulated_engagement": False}
    rows = [
        shared
        | {"query_id": query, "search_id": f"s{page}", "item_id": item, "position": float(place)}
        | {"label_click": float(item == "a"), "popularity": float(item == "a")}
        for query in ("head", "tail")
        for page in range(40 if query == "head" else 2)
        for place, item in enumerate("ab", start=1)
    ]
    clicks = Weights(click=1.0, cart=0.0, purchase=0.0, relevance=0.0)
    yard = Yardsticks({"up": F.col("popularity")}, {}, clicks, [1.0, 0.5], EvaluationConf())
    frame = table_frame(EXAMPLE_SCORES, rows).withColumn("block", F.lit(0))
    samples = {"effective_off_policy": 100.0, "reward": 0.5}
    whole = sum_blocks(*yard.sum_robust(frame, samples)).collect()
    monkeypatch.setattr("jobs.reports.list_sums._PAGES", 8)
    (parts,) = yard.sum_robust(frame, samples)
    assert parts.where("query_id = 'head'").count() == 5
    (found,), (expected,) = sum_blocks(parts).collect(), whole
    assert found["total"] / found["denominator"] == pytest.approx(
        expected["total"] / expected["denominator"]
    )
    assert (found["queries"], expected["queries"], expected["lists"]) == (2, 2, 42)
