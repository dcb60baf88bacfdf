"""The planted truth is found again, or the job says that there is none."""

from collections.abc import Callable
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from conf.load import ResolvedConf
from features.contracts import (
    MARKET_CHECKS,
    MARKET_PARAMETERS,
    MARKET_TRUTH,
    QUERIES,
    RELEVANCE_LABELS,
    SCORES,
    VALUE_CURVE,
)
from jobs import check_market
from jobs.platform.runner import open_warehouse

Frame = Callable[..., DataFrame]
MakeConf = Callable[..., ResolvedConf]

SETTINGS = ("regions=[us]", "value.sweep=[0.0, 2.0]", "evaluation.k=2")
ITEMS = [("a", 0, 0.5), ("b", 1, 0.3), ("c", 2, 0.1)]


def _prepare(spark: SparkSession, conf: ResolvedConf, table_frame: Frame) -> Any:
    """Four queries, three of test; less relevant items are clicked more; predictions are exact."""
    warehouse, _ = open_warehouse(spark, conf, "test")
    queries = [{"query_id": f"q{i}", "query_text": f"q{i}", "bucket": 9} for i in range(3)]
    queries.append({"query_id": "seen", "query_text": "seen", "bucket": 0})
    keys = [{"query_id": q["query_id"], "region": "us"} for q in queries]
    scores, truth, labels = [], [], []
    for key in keys:
        for item, grade, p in ITEMS:
            pair = key | {"item_id": item}
            scores.append(pair | {"p_click": p, "relevance": float(grade), "p_ge_1": grade / 2})
            truth.append(pair | {"true_grade": grade, "true_p_click": p})
            labels.append({**pair, "source": "human", "grade": max(grade, 1)})
    scores.append(keys[0] | {"item_id": "unknown", "p_click": 0.9})
    warehouse.replace_run(SCORES, table_frame(SCORES, scores, rank=1))
    warehouse.merge(MARKET_TRUTH, table_frame(MARKET_TRUTH, truth))
    warehouse.merge(QUERIES, table_frame(QUERIES, queries))
    known = [{k: v for k, v in label.items() if k != "region"} for label in labels]
    warehouse.merge(RELEVANCE_LABELS, table_frame(RELEVANCE_LABELS, known))
    planted = [{"name": "examination.1", "value": 1.0}, {"name": "examination.2", "value": 0.4}]
    warehouse.merge(MARKET_PARAMETERS, table_frame(MARKET_PARAMETERS, planted))
    curve = [
        {"region": "all", "w_relevance": 0.0, "relevance_ndcg": 0.5, "engagement_ndcg": 0.9},
        {"region": "all", "w_relevance": 2.0, "relevance_ndcg": 0.4, "engagement_ndcg": 0.8},
    ]
    warehouse.replace_run(VALUE_CURVE, table_frame(VALUE_CURVE, curve))
    return warehouse


def test_without_a_test_query_there_is_no_curve_to_check(
    spark: SparkSession, make_conf: MakeConf, table_frame: Frame
) -> None:
    buckets = ("split.train=[0,1,2,3,4,5,6,9]", "split.validation=[8]", "split.test=[7]")
    conf = make_conf(*SETTINGS, *buckets)
    warehouse = _prepare(spark, conf, table_frame)
    truths = check_market.compare_with_truth(check_market.read_inputs(warehouse), conf)
    assert truths.known_pairs == 12 and truths.swept.empty
    assert {row["queries"] for row in truths.rows if row["check"].startswith("curve")} == set()


def test_truth_is_found_dry_then_twice_the_same(
    spark: SparkSession,
    make_conf: MakeConf,
    table_frame: Frame,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    conf = make_conf(*SETTINGS, "value.weights={click: 1.0, cart: 0.0, purchase: 0.0}")
    warehouse = _prepare(spark, conf, table_frame)
    truths = check_market.compare_with_truth(check_market.read_inputs(warehouse), conf)
    assert (truths.known_pairs, truths.scored_pairs) == (12, 13)
    swept = truths.swept.set_index("ranker")
    assert swept.loc["0", "click"] == pytest.approx(0.5 + 0.4 * 0.3)
    assert swept.loc["2", "click"] == pytest.approx(0.1 + 0.4 * 0.3)
    assert swept.loc["2", "relevance"] == pytest.approx(1.0)
    assert swept.loc["best engagement", "combined"] == pytest.approx(0.62)
    assert swept.loc["0", "queries"] == 3

    with monkeypatch.context() as known:
        known.setattr(check_market, "compare_with_truth", lambda *_: truths)
        check_market.JOB.run(spark, make_conf(*SETTINGS, dry_run=True))
        assert not warehouse.exists(MARKET_CHECKS) and not warehouse.report_dir().exists()
        report = check_market.JOB.run(spark, conf)
    rows = warehouse.read(MARKET_CHECKS).collect()
    found = {(r["queries"], r["region"], r["check"]): r for r in rows}
    exact = found["test", "us", "p_click.spearman"]
    assert (exact["value"], exact["rows"]) == (pytest.approx(1.0), 9)
    assert found["all", "all", "p_click.mean_ratio"]["value"] == pytest.approx(1.0)
    assert found["all", "all", "human_grade.exact"]["value"] == pytest.approx(2 / 3)
    assert found["test", "all", "curve.relevance_rise"]["passed"]
    assert not found["test", "all", "curve.relevance_agreement"]["passed"]
    assert found["test", "all", "curve.engagement_agreement"]["passed"]
    text = (warehouse.report_dir() / "report.md").read_text()
    assert "truth is known of 12 of 13 scored pairs" in text
    assert any("NOT as the truth says" in note for note in report.notes)

    assert check_market.JOB.run(spark, conf).counts == report.counts
    assert {tuple(r) for r in warehouse.read(MARKET_CHECKS).collect()} == {tuple(r) for r in rows}


def test_without_truth_nothing_is_written(spark: SparkSession, make_conf: MakeConf) -> None:
    conf = make_conf(*SETTINGS)
    report = check_market.JOB.run(spark, conf)
    warehouse, _ = open_warehouse(spark, conf, "test")
    assert report.notes == ["no planted truth: skipped"]
    assert not report.counts and not warehouse.exists(MARKET_CHECKS)
