"""Discounted gains and NDCG in Spark against the numpy reference and by hand."""

from collections.abc import Callable

import numpy as np
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from conf.sections.value import Weights
from features.contracts import EXAMPLE_SCORES, QUERIES
from features.evaluation.lists import (
    engagement_gains,
    examination_at_position,
    judged_lists,
    relevance_gains,
    select_pages,
    with_block,
)
from features.evaluation.rankers import logged_ranker, model_rankers, sweep_rankers
from features.evaluation.ranking import discounted_gains, normalise_gains
from features.evaluation.sums import block_sums, query_means
from features.evaluation.weighed import weighed_gains
from model.evaluation import metrics

Frame = Callable[..., DataFrame]


def _random_lists(spark: SparkSession, seed: int) -> DataFrame:
    rng = np.random.default_rng(seed)
    rows = [
        (f"u{u}", "q", "us", 0, float(rng.integers(0, 4)), float(rng.random()), int(grade))
        for u in range(25)
        for grade in rng.integers(0, 3, int(rng.integers(1, 9)))
    ]
    schema = "unit string, query_id string, region string, block int, a double, b double, g int"
    return spark.createDataFrame(rows, schema)


def test_equals_the_reference_on_random_lists_with_ties(spark: SparkSession) -> None:
    rows = _random_lists(spark, 4)
    ranked = rows.transform(
        discounted_gains(
            {"a": F.col("a"), "b": F.col("b")},
            {"exp": F.pow(F.lit(2.0), F.col("g")) - 1, "linear": F.col("g")},
            metrics.compute_log_discounts(3).tolist(),
        )
    ).transform(normalise_gains(["exp", "linear"]))
    frame = rows.toPandas()
    for got in ranked.collect():
        items = frame[frame["unit"] == got["unit"]]
        scores, grades = items[got["ranker"]].to_numpy(), items["g"].to_numpy(float)
        assert got["exp"] == pytest.approx(
            metrics.compute_ndcg(scores, metrics.compute_exponential_gains(grades), 3)
        )
        assert got["linear"] == pytest.approx(metrics.compute_ndcg(scores, grades, 3))


def test_lists_left_out_say_why(spark: SparkSession) -> None:
    rows = [("one", 1.0), ("zero", 0.0), ("zero", 0.0), ("young", 1.0), ("young", None)]
    rows += [("good", 1.0), ("good", 0.0)]
    frame = spark.createDataFrame(rows, "unit string, gain double").selectExpr(
        "*", "unit query_id", "'us' region", "0 block"
    )
    gains = {"g": F.col("gain")}
    lists = frame.transform(discounted_gains({"r": F.lit(1.0)}, gains, [1.0]))
    why = {r["unit"]: r["why_g"] for r in lists.transform(normalise_gains(gains)).collect()}
    assert why == {"one": "short", "zero": "no_positive", "young": "masked", "good": None}


def test_mean_over_a_querys_pages_first(spark: SparkSession) -> None:
    rows = [("p1", "q1", 1.0), ("p2", "q1", 0.0), ("p3", "q1", None), ("p4", "q2", 1.0)]
    lists = spark.createDataFrame(rows, "unit string, query_id string, g double").selectExpr(
        "*", "'us' region", "3 block", "'r' ranker", "if(g is null, 'masked', null) why_g"
    )
    sums = lists.transform(query_means(["g"])).transform(block_sums({"g": "ndcg"})).collect()
    assert len(sums) == 1
    row = sums[0]
    assert (row["block"], row["metric"], row["total"], row["queries"]) == (3, "ndcg", 1.5, 2)
    assert (row["lists"], row["masked"], row["short"], row["no_positive"]) == (3, 1, 0, 0)


def test_rankers_by_hand(table_frame: Frame) -> None:
    row = {"p_click": 0.5, "p_cart": 0.25, "p_purchase": 0.125, "relevance": 1.0, "position": 3.0}
    frame = table_frame(EXAMPLE_SCORES, [row | {"region": "us"}, row | {"region": "de"}])
    weights = {"de": Weights(click=1, cart=0, purchase=0, relevance=2)}
    default = Weights(click=0, cart=2, purchase=4, relevance=1)
    columns = model_rankers(weights, default) | logged_ranker()
    columns |= sweep_rankers(weights, default, [0.0, 0.5])
    us, de = frame.select(*(c.alias(n) for n, c in columns.items())).collect()
    assert (us["engagement_only"], us["joint"], us["0.5"]) == (1.0, 1.5, 1.25)
    assert (de["engagement_only"], de["joint"], de["0.5"]) == (0.5, 1.5, 0.75)
    assert (us["relevance_only"], us["logged"], us["0"]) == (0.5, -3.0, 1.0)


def test_gains_by_hand(table_frame: Frame) -> None:
    known = {"mask_click": 1.0, "mask_cart": 1.0, "mask_purchase": 1.0, "label_click": 1.0}
    frame = table_frame(
        EXAMPLE_SCORES,
        [
            known | {"position": 1.0, "label_cart": 1.0, "propensity": 0.5},
            known | {"position": 2.0, "mask_purchase": 0.0},
            known | {"position": 9.0, "propensity": 0.01},
        ],
    )
    weights = Weights(click=1, cart=2, purchase=4)
    gains = engagement_gains({}, weights)
    gains |= weighed_gains({}, weights, examination_at_position([1.0, 0.5, 0.25]), 10.0)
    rows = frame.select(*(c.alias(n) for n, c in gains.items())).collect()
    assert [r["combined"] for r in rows] == [3.0, None, 1.0]
    assert [r["debiased"] for r in rows] == [3.0, None, 4.0]
    assert [r["off_policy"] for r in rows] == [6.0, None, 10.0]
    assert [r["purchase"] for r in rows] == [0.0, None, 0.0]


def test_judged_lists_and_pages(table_frame: Frame) -> None:
    frame = table_frame(
        EXAMPLE_SCORES,
        [
            {"item_id": "a", "query_id": "q", "grade": 2, "label_source": "human"},
            {"item_id": "b", "query_id": "q", "grade": 0, "label_source": "assumed"},
            {"item_id": "c", "query_id": "q", "search_id": "s"},
        ],
    )
    items = {
        "human": judged_lists(frame, human_only=True),
        "all": judged_lists(frame, human_only=False),
        "shown": select_pages(frame),
    }
    got = {k: [(r["item_id"], r["unit"]) for r in f.collect()] for k, f in items.items()}
    assert got == {"human": [("a", "q")], "all": [("a", "q"), ("b", "q")], "shown": [("c", "s")]}
    gains = items["human"].select(*relevance_gains().values()).collect()[0]
    assert tuple(gains) == (3.0, 2.0)


def test_regions_of_one_text_share_a_block(table_frame: Frame) -> None:
    queries = table_frame(
        QUERIES,
        [
            {"query_id": f"{text.strip().lower()}|{region}", "query_text": text}
            for text, region in [(" Drill", "us"), ("drill ", "uk"), ("saw", "us")]
        ],
    )
    rows = queries.select("query_id").transform(with_block(queries, 17, 1_000)).collect()
    block = {r["query_id"]: r["block"] for r in rows}
    assert block["drill|us"] == block["drill|uk"] != block["saw|us"]


def test_random_has_the_mean_over_all_orders(spark: SparkSession) -> None:
    frame = spark.createDataFrame([(3.0,), (0.0,), (0.0,)], "gain double").selectExpr(
        "*", "'u' unit", "'q' query_id", "'us' region", "0 block"
    )
    rankers = {"random": model_rankers({}, Weights())["random"]}
    lists = frame.transform(discounted_gains(rankers, {"g": F.col("gain")}, [1.0, 0.5]))
    assert lists.collect()[0]["dcg_g"] == pytest.approx(3.0 * (1.0 + 0.5 + 0.0) / 3)
