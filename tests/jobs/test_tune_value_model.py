"""The relevance weight is picked from validation queries, by region, and never from test."""

from collections.abc import Callable
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from conf.load import ResolvedConf
from features.contracts import EXAMPLE_SCORES, QUERIES, VALUE_CURVE, VALUE_WEIGHTS
from jobs import tune_value_model
from jobs.platform.runner import open_warehouse
from jobs.tune_value_model import TestQueriesError, TuningInputs

Frame = Callable[..., DataFrame]
MakeConf = Callable[..., ResolvedConf]

SETTINGS = (
    "regions=[us, uk]",
    "value.sweep=[0.0, 1.0]",
    "value.min_queries=4",
    "value.engagement_loss=0.05",
    "value.noise=100.0",
    "evaluation.blocks=20",
    "evaluation.bootstrap=20",
    "evaluation.currency=logged",
)


def _page(query: str, region: str, clicked: str) -> list[dict[str, Any]]:
    """A page of a fitting item that few click by the model, and a popular misfit."""
    shared = {
        "query_id": query,
        "region": region,
        "search_id": f"s-{query}",
        "split": "validation",
        "label_source": "human",
        "simulated_engagement": True,
        "model_version": "m1",
        "mask_click": 1.0,
        "mask_cart": 1.0,
        "mask_purchase": 1.0,
    }
    fit = {"item_id": "fit", "p_click": 0.1, "relevance": 1.8, "grade": 2, "position": 2.0}
    misfit = {"item_id": "misfit", "p_click": 0.9, "relevance": 0.1, "grade": 0, "position": 1.0}
    return [
        shared | item | {"example_id": f"{query}|{item['item_id']}", "label_click": float(on)}
        for item in (fit, misfit)
        for on in [item["item_id"] == clicked]
    ]


def _examples(table_frame: Frame) -> DataFrame:
    rows = [row for q in range(4) for row in _page(f"us{q}", "us", "fit")]
    rows += [row for q in range(2) for row in _page(f"uk{q}", "uk", "misfit")]
    return table_frame(EXAMPLE_SCORES, rows)


def _queries(table_frame: Frame, bucket: int = 8) -> DataFrame:
    names = [f"us{q}" for q in range(4)] + [f"uk{q}" for q in range(2)]
    return table_frame(QUERIES, [{"query_id": n, "query_text": n} for n in names], bucket=bucket)


def test_run_picks_by_region_dry_then_twice_the_same(
    spark: SparkSession, make_conf: MakeConf, table_frame: Frame
) -> None:
    conf = make_conf(*SETTINGS)
    warehouse, _ = open_warehouse(spark, conf, "test")
    warehouse.replace_run(EXAMPLE_SCORES, _examples(table_frame))
    warehouse.merge(QUERIES, _queries(table_frame))
    tune_value_model.JOB.run(spark, make_conf(*SETTINGS, dry_run=True))
    assert not warehouse.exists(VALUE_CURVE) and not warehouse.report_dir().exists()

    report = tune_value_model.JOB.run(spark, conf)
    curve = {(r["region"], r["w_relevance"]): r for r in warehouse.read(VALUE_CURVE).collect()}
    assert len(curve) == 6
    us, every = curve["us", 1.0], curve["all", 1.0]
    assert (us["relevance_ndcg"], us["engagement_ndcg"], us["picked"]) == (1.0, 1.0, True)
    assert curve["us", 0.0]["relevance_ndcg"] == pytest.approx(0.6309, abs=1e-4)
    assert every["engagement_ndcg"] == pytest.approx((4 + 2 * 0.6309) / 6, abs=1e-4)
    assert (every["relevance_queries"], every["engagement_queries"]) == (6, 6)
    assert "2 < 4 queries here" in curve["uk", 1.0]["rule"] and curve["uk", 1.0]["picked"]
    assert (us["engagement_kept"], us["engagement_kept_by"]) == (
        pytest.approx(1 / 0.6309, abs=1e-3),
        "log",
    )
    assert every["simulated_engagement"] and every["model_version"] == "m1"
    weights = warehouse.read(VALUE_WEIGHTS).collect()
    assert {r["region"]: r["w_relevance"] for r in weights} == {"us": 1.0, "uk": 1.0}
    assert {r["origin"] for r in weights} == {"tuned"}
    text = (warehouse.report_dir() / "report.md").read_text()
    assert "engagement@10, logged (simulated)" in text
    assert any(note.startswith("us: w_relevance 1:") for note in report.notes)

    again = tune_value_model.JOB.run(spark, conf)
    assert again.counts == report.counts
    assert sorted(map(tuple, warehouse.read(VALUE_WEIGHTS).collect())) == sorted(
        map(tuple, weights)
    )
    assert warehouse.read(VALUE_CURVE).count() == 6


@pytest.mark.parametrize(("split", "bucket"), [("test", 8), ("validation", 9)])
def test_rows_of_test_queries_are_refused(
    table_frame: Frame, make_conf: MakeConf, split: str, bucket: int
) -> None:
    rows = [row | {"split": split} for row in _page("us0", "us", "fit")]
    inputs = TuningInputs(table_frame(EXAMPLE_SCORES, rows), _queries(table_frame, bucket))
    with pytest.raises(TestQueriesError, match="2 of 2 rows belong to test queries"):
        tune_value_model.build(inputs, make_conf(*SETTINGS))


def test_the_currency_weighs_a_click_by_its_examination(
    table_frame: Frame, make_conf: MakeConf
) -> None:
    """us: 4 clicks at position 2, worth 2 each; uk: 2 clicks at position 1."""
    conf = make_conf(*SETTINGS, "evaluation.currency=auto", "evaluation.examination=[1.0, 0.5]")
    inputs = TuningInputs(_examples(table_frame), _queries(table_frame))
    curve = tune_value_model.build(inputs, conf).collect()
    every = {r["w_relevance"]: r for r in curve if r["region"] == "all"}
    assert every[1.0]["currency"] == "debiased"
    assert every[1.0]["engagement_ndcg"] == pytest.approx((8 + 2 * 0.6309) / 10, abs=1e-4)
    assert every[0.0]["engagement_ndcg"] == pytest.approx((8 * 0.6309 + 2) / 10, abs=1e-4)
    assert every[1.0]["engagement_queries"] == 6


def test_a_loss_that_few_pages_say_is_the_one_that_the_ranker_expects(
    table_frame: Frame, make_conf: MakeConf
) -> None:
    """The fitting item has .1 of the engagement by the ranker, .9 the misfit."""
    conf = make_conf(*SETTINGS, "value.noise=0.1")
    inputs = TuningInputs(_examples(table_frame), _queries(table_frame))
    curve = tune_value_model.build(inputs, conf).collect()
    every = {r["w_relevance"]: r for r in curve if r["region"] == "all"}
    assert (every[0.0]["engagement_kept"], every[1.0]["engagement_kept_by"]) == (1.0, "ranker")
    # sums of gain over the discount, the order by the weight over the best one
    assert every[1.0]["engagement_kept"] == pytest.approx(
        (0.1 + 0.9 * 0.6309) / (0.9 + 0.1 * 0.6309), abs=1e-4
    )
    assert every[0.0]["picked"] and not every[1.0]["picked"]


def test_a_few_human_grades_do_not_replace_all_labels(
    table_frame: Frame, make_conf: MakeConf
) -> None:
    inputs = TuningInputs(_examples(table_frame), _queries(table_frame))
    for least, labels in ((6, "human"), (7, "all")):
        conf = make_conf(*SETTINGS, f"value.min_queries={least}")
        curve = tune_value_model.build(inputs, conf).collect()
        assert {r["relevance_labels"] for r in curve} == {labels}


def test_without_engagement_confs_weights_hold(table_frame: Frame, make_conf: MakeConf) -> None:
    rows = [row | {"search_id": None} for row in _page("us0", "us", "fit")]
    inputs = TuningInputs(table_frame(EXAMPLE_SCORES, rows), _queries(table_frame))
    conf = make_conf(*SETTINGS, "value.weights.relevance=0.3")
    curve = tune_value_model.build(inputs, conf).collect()
    assert not any(row["picked"] for row in curve)
    weights = tune_value_model.picked_weights(curve, conf)
    assert [(w["w_relevance"], w["origin"]) for w in weights] == [(0.3, "conf")] * 2
