"""Every ranker on the test queries, with intervals, paired differences and the report."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from conf.load import ResolvedConf
from features.contracts import (
    EXAMPLE_SCORES,
    ITEM_FEATURES,
    METRICS,
    QUERIES,
    QUERY_FEATURES,
    QUERY_ITEM_FEATURES,
    RELEVANCE_LABELS,
    SCORES,
    VALUE_WEIGHTS,
)
from jobs import evaluate
from jobs.platform.runner import open_warehouse
from jobs.reports import yardsticks
from model.evaluation.metrics import compute_log_discounts

Frame = Callable[..., DataFrame]
MakeConf = Callable[..., ResolvedConf]

SETTINGS = ("regions=[us, uk]", "evaluation.blocks=20", "evaluation.bootstrap=50")
ITEMS = {
    "fit": {"p_click": 0.1, "relevance": 1.8, "grade": 2, "bm25": 5.0, "popularity": 1.0},
    "misfit": {"p_click": 0.5, "relevance": 0.2, "grade": 0, "bm25": 1.0, "popularity": 9.0},
    "filler": {"p_click": 0.3, "relevance": 0.1, "grade": 0, "bm25": 0.0, "popularity": 5.0},
}


def _page(query: str, split: str, simulated: bool) -> list[dict[str, Any]]:
    """A page shown as misfit, filler, fit; the fit is clicked and bought, carts are not known."""
    shared = {
        "split": split,
        "query_id": query,
        "region": query[:2],
        "search_id": f"s|{query}",
        "simulated_engagement": simulated,
        "model_version": "m1",
        "mask_click": 1.0,
        "mask_purchase": 1.0,
    }
    position = {"misfit": 1.0, "filler": 2.0, "fit": 3.0}
    bought = {"label_click": 1.0, "label_purchase": 1.0}
    return [
        shared
        | values
        | {
            "item_id": item,
            "example_id": f"{query}|{item}",
            "position": position[item],
            "label_source": "assumed" if item == "filler" else "human",
        }
        | (bought if item == "fit" else {})
        for item, values in ITEMS.items()
    ]


def _prepare(spark: SparkSession, conf: ResolvedConf, table_frame: Frame, simulated: bool) -> Any:
    warehouse, _ = open_warehouse(spark, conf, "test")
    queries = {f"{region}-{q}": f"text {q}" for q in range(6) for region in ("us", "uk")}
    splits = {query: "validation" if query.endswith("0") else "test" for query in queries}
    rows = [row for q in queries for row in _page(q, splits[q], simulated)]
    warehouse.replace_run(EXAMPLE_SCORES, table_frame(EXAMPLE_SCORES, rows))
    named = [{"query_id": q, "query_text": text} for q, text in queries.items()]
    warehouse.merge(QUERIES, table_frame(QUERIES, named))
    labels = [{"source": "human"}, {"source": "assumed", "simulated": True}]
    warehouse.merge(RELEVANCE_LABELS, table_frame(RELEVANCE_LABELS, labels))
    weights = [{"region": r, "w_click": 1.0, "w_relevance": 2.0} for r in ("us", "uk")]
    warehouse.replace_run(VALUE_WEIGHTS, table_frame(VALUE_WEIGHTS, weights))
    return warehouse


def _scored(warehouse: Any, table_frame: Frame) -> None:
    """Candidates of one test query: the fit, the misfit, and an item that nobody judged."""
    day = warehouse.conf.run_date
    keys = {"query_id": "us-1", "region": "us"}
    relevance = {"fit": 1.8, "misfit": 0.2, "new": 1.9}
    rows = [keys | {"item_id": i, "relevance": r, "p_click": 0.5} for i, r in relevance.items()]
    warehouse.replace_run(SCORES, table_frame(SCORES, rows, rank=1))
    pairs = [{"query_id": "us-1", "item_id": i, "as_of_date": day} for i in relevance]
    words = [p | {"pair_bm25": float(n)} for n, p in enumerate(reversed(pairs))]
    warehouse.replace_run(QUERY_ITEM_FEATURES, table_frame(QUERY_ITEM_FEATURES, words))
    items = [{"item_id": i, "region": "us", "as_of_date": day} for i in relevance]
    warehouse.replace_run(ITEM_FEATURES, table_frame(ITEM_FEATURES, items))
    warehouse.replace_run(QUERY_FEATURES, table_frame(QUERY_FEATURES, []))
    graded = [{"item_id": "fit", "grade": 2}, {"item_id": "misfit", "grade": 0}]
    labels = [keys | {"source": "human"} | g for g in graded]
    warehouse.merge(RELEVANCE_LABELS, table_frame(RELEVANCE_LABELS, labels))
    queries = [{"query_id": "us-1", "region": "us", "query_text": "text 1", "bucket": 9}]
    warehouse.merge(QUERIES, table_frame(QUERIES, queries))


def test_relevance_is_judged_on_what_is_served(
    spark: SparkSession, make_conf: MakeConf, table_frame: Frame
) -> None:
    conf = make_conf(*SETTINGS)
    warehouse = _prepare(spark, conf, table_frame, simulated=True)
    _scored(warehouse, table_frame)
    findings = evaluate.measure_rankers(evaluate.read_inputs(warehouse), conf)
    found = findings.by_name()
    second, third = (float(d) for d in compute_log_discounts(3)[1:])
    assert findings.as_served
    assert found["relevance_only", "relevance_ndcg@10_exp"]["value"] == pytest.approx(1.0)
    assert found["relevance_only", "relevance_ndcg@10_judged_mixed"]["queries"] == 1
    pooled = found["relevance_only", "relevance_ndcg@10_pooled"]["value"]
    assert pooled == pytest.approx(second)  # the item that nobody judged stands first
    chance = found["random", "relevance_ndcg@10_pooled"]["value"]
    assert chance == pytest.approx((1 + second + third) / 3)
    distance = found["relevance_only", "relevance_distance@10_pooled"]["value"]
    assert distance == pytest.approx((pooled - chance) / (1 - chance))
    assert found["bm25", "relevance_clear_pairs"]["value"] == 1.0
    assert found["random", "relevance_clear_pairs"]["value"] == 0.5


def test_a_log_with_propensities_is_judged_doubly_robust(
    spark: SparkSession,
    make_conf: MakeConf,
    table_frame: Frame,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The pages of each test query are two of a kind; those of validation do not count."""
    conf = make_conf(*SETTINGS)
    monkeypatch.setattr(yardsticks, "FEWEST_CLICKS", 5.0)
    warehouse = _prepare(spark, conf, table_frame, simulated=True)
    known = warehouse.read(EXAMPLE_SCORES).withColumns(
        {"mask_cart": F.lit(1.0), "propensity": F.lit(0.5)}
    )
    twice = known.unionByName(known.withColumn("search_id", F.concat("search_id", F.lit("|2"))))
    findings = evaluate.measure_rankers(
        replace(evaluate.read_inputs(warehouse), test=twice.where("split = 'test'")), conf
    )
    found = findings.by_name()
    assert found["joint", "engagement_doubly_robust@10"]["queries"] == 10
    assert found["popularity", "engagement_doubly_robust@10"]["difference"] is not None
    assert ("logged", "engagement_doubly_robust@10") not in found
    assert findings.left_out["engagement_doubly_robust@10"]["lists"] == 20
    assert "engagement_doubly_robust@10" in findings.name_further()
    monkeypatch.setattr(yardsticks, "FEWEST_CLICKS", 500.0)
    few = evaluate.measure_rankers(
        replace(evaluate.read_inputs(warehouse), test=twice.where("split = 'test'")), conf
    )
    assert "engagement_doubly_robust@10" not in few.name_further()


def test_run_measures_dry_then_twice_the_same(
    spark: SparkSession,
    make_conf: MakeConf,
    table_frame: Frame,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    conf = make_conf(*SETTINGS)
    warehouse = _prepare(spark, conf, table_frame, simulated=True)
    findings = evaluate.measure_rankers(evaluate.read_inputs(warehouse), conf)
    with monkeypatch.context() as known:
        known.setattr(evaluate, "measure_rankers", lambda *_: findings)
        evaluate.JOB.run(spark, make_conf(*SETTINGS, dry_run=True))
        assert not warehouse.exists(METRICS) and not warehouse.report_dir().exists()
        report = evaluate.JOB.run(spark, conf)
    rows = warehouse.read(METRICS).collect()
    by_name = {(r["ranker"], r["metric"], r["region"]): r for r in rows}
    second, third = (float(d) for d in compute_log_discounts(3)[1:])
    joint = by_name["joint", "relevance_ndcg@10_exp", "all"]
    assert (joint["value"], joint["queries"], joint["split"]) == (1.0, 10, "test")
    assert joint["difference"] == pytest.approx(1 - second)
    assert joint["reference"] == "engagement_only"
    every = by_name["engagement_only", "relevance_ndcg@10_exp_all_labels", "us"]
    assert (every["value"], every["queries"]) == (pytest.approx(third), 5)
    for ranker, value in [("joint", 1.0), ("bm25", 1.0), ("popularity", third), ("logged", third)]:
        row = by_name[ranker, "engagement_ndcg@10_click", "uk"]
        assert row["value"] == pytest.approx(value)
        assert row["low"] is None or row["low"] <= row["value"] <= row["high"]
    assert not any("_cart" in metric for _, metric, _ in by_name)
    assert by_name["model", "auc_click", "all"]["value"] == 0.0
    assert by_name["model", "auc_click", "all"]["queries"] == 10
    assert not any(r["queries"] == 0 for r in rows)
    assert report.details["left_out"]["engagement_ndcg@10_cart"]["masked"] == 10
    assert report.details["engagement"]["currency"] == "debiased"

    flags = {(r["ranker"], r["metric"]): r["simulated"] for r in rows}
    assert flags["joint", "engagement_ndcg@10_click"]
    assert flags["joint", "relevance_ndcg@10_exp"]
    assert not flags["bm25", "relevance_ndcg@10_exp"]
    assert flags["bm25", "relevance_ndcg@10_exp_all_labels"]
    text = (warehouse.report_dir() / "report.md").read_text()
    assert "## Evaluation on test queries (simulated engagement)" in text
    assert "engagement_ndcg@10_click (simulated)" in text and "relevance NDCG@10, human |" in text
    assert "the rows of examples" in text and "| relevance NDCG@10, pooled |" in text
    assert any("joint" in note and "1.000" in note for note in report.notes)

    assert evaluate.JOB.run(spark, conf).counts == report.counts
    assert {tuple(r) for r in warehouse.read(METRICS).collect()} == {tuple(r) for r in rows}


def test_real_engagement_is_not_called_simulated(
    spark: SparkSession, make_conf: MakeConf, table_frame: Frame
) -> None:
    conf = make_conf(*SETTINGS, "evaluation.examination=[1.0, 0.5, 0.25]", "value.tuned=false")
    inputs = evaluate.EvaluationInputs(
        test=table_frame(EXAMPLE_SCORES, _page("us-1", "test", simulated=False)),
        validation=table_frame(EXAMPLE_SCORES, []),
        queries=table_frame(QUERIES, []),
        labels=table_frame(RELEVANCE_LABELS, [{"source": "human"}]),
        weights={},
    )
    findings = evaluate.measure_rankers(inputs, conf)
    assert findings.examination == [1.0, 0.5, 0.25]
    assert not any(row["simulated"] for row in findings.rows)
    ratio = findings.by_name()["model", "calibration_ratio_click_at_position"]
    assert ratio["value"] == pytest.approx(0.5 + 0.3 * 0.5 + 0.1 * 0.25)
    assert "simulated" not in "".join(findings.name_headlines().values())


def test_nothing_to_measure_says_so(make_conf: MakeConf, table_frame: Frame) -> None:
    empty = table_frame(EXAMPLE_SCORES, [])
    inputs = evaluate.EvaluationInputs(
        empty, empty, table_frame(QUERIES, []), table_frame(RELEVANCE_LABELS, []), {}
    )
    findings = evaluate.measure_rankers(inputs, make_conf(*SETTINGS))
    assert findings.rows == []
    assert "no test row" in evaluate.format_side_by_side(findings)[0]
