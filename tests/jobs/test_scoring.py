"""The scoring jobs end to end on the tiny run: scoring rows, scores, reweighting, examples."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from chispa import assert_df_equality
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from features.contracts import (
    EXAMPLE_SCORES,
    SCORE_TRIALS,
    SCORES,
    SCORING_ROWS,
    VALUE_WEIGHTS,
    WEIGHT_DECISIONS,
)
from features.declarations import FEATURES, ITEM_LEVEL, PAIR_LEVEL, QUERY_LEVEL
from features.lookup import FeatureTables, with_features
from jobs import build_scoring_rows, build_training_set, reweight, score_catalog, score_examples
from jobs.platform.feature_reads import read_features
from jobs.platform.job import Job
from jobs.platform.report import JobReport
from jobs.serving.in_force import NoModelError, find_model_in_force, find_weights_in_force
from model.serving.artifact import load_model
from model.value.weights import WeightTable

CONF_WEIGHTS = "value.tuned=false"
OTHER_WEIGHTS = (CONF_WEIGHTS, "value.weights.relevance=5", "value.by_region={fr: {click: 7}}")


@pytest.fixture(scope="module")
def packed(tiny_run: Any) -> JobReport:
    return build_scoring_rows.JOB.run(tiny_run.spark, tiny_run.conf())


@pytest.fixture(scope="module")
def scored(tiny_run: Any, packed: JobReport) -> JobReport:
    return score_catalog.JOB.run(tiny_run.spark, tiny_run.conf(CONF_WEIGHTS))


def scores(tiny_run: Any) -> DataFrame:
    frame: DataFrame = tiny_run.warehouse().read_run(SCORES)
    return frame


def test_a_row_a_query_with_its_candidates_by_item_id(tiny_run: Any, packed: JobReport) -> None:
    rows = tiny_run.warehouse().read_run(SCORING_ROWS).collect()
    assert len(rows) == 10
    assert all(row.item_ids == ["i0", "i1", "i2", "i3", "i4"] for row in rows)
    assert {len(row.query_values) for row in rows} == {len(QUERY_LEVEL)}
    assert {len(row.candidate_values) for row in rows} == {5 * len((*ITEM_LEVEL, *PAIR_LEVEL))}
    assert packed.details["candidates"] == {"given": 50, "packed": 50}
    assert packed.notes == []


def test_the_cap_keeps_judged_then_retrieved_candidates(tiny_run: Any, packed: JobReport) -> None:
    conf = tiny_run.conf("scoring.max_candidates=3", dry_run=True)
    warehouse = tiny_run.warehouse()
    inputs = build_scoring_rows.read_inputs(warehouse)
    kept = build_scoring_rows.build(inputs, conf).select("item_ids").collect()
    assert all({"i0", "i4", "i1"} == set(row.item_ids) for row in kept)
    report = build_scoring_rows.JOB.run(tiny_run.spark, conf)
    assert "20 of 50 candidates are beyond the 3 per query" in " ".join(report.notes)


def test_scores_equal_the_model_on_plain_rows(tiny_run: Any, scored: JobReport) -> None:
    warehouse = tiny_run.warehouse()
    found = scores(tiny_run).withColumnRenamed("run_date", "as_of_date")
    tables: FeatureTables = read_features(warehouse)
    rows = found.transform(with_features(tables)).toPandas()
    model = load_model(warehouse.model_dir())
    plain = model.predict(rows[[f.name for f in FEATURES]].to_numpy(np.float32))
    assert len(rows) == 50
    for name in ("p_click", "p_cart", "p_purchase", "p_ge_1", "p_ge_2", "relevance"):
        np.testing.assert_allclose(rows[name], plain[name], rtol=1e-5)
    value = 0.2 * rows.p_click + 0.3 * rows.p_cart + 0.5 * rows.p_purchase + 0.05 * rows.relevance
    np.testing.assert_allclose(rows.value, value, rtol=1e-5)
    ranked = rows.sort_values(["query_id", "value"], ascending=[True, False])
    assert ranked["rank"].tolist() == [1, 2, 3, 4, 5] * 10
    assert set(rows.model_version) == {model.version}


def test_rows_that_a_deletion_vector_takes_away_are_not_scored(
    tiny_run: Any, scored: JobReport
) -> None:
    warehouse = tiny_run.warehouse()
    columns = ["query_id", "item_id", F.round("p_click", 5).alias("p_click"), "rank"]
    assert warehouse.whole_files(
        SCORING_ROWS, warehouse.read_version(SCORING_ROWS), warehouse.conf.run_date.isoformat()
    )
    before = scores(tiny_run).select(*columns).localCheckpoint()
    name, gone = warehouse.build_identifier(SCORING_ROWS), before.first()["query_id"]
    sql = tiny_run.spark.sql
    sql(f"ALTER TABLE {name} SET TBLPROPERTIES (delta.enableDeletionVectors = true)")
    sql(f"DELETE FROM {name} WHERE query_id = '{gone}'")
    report = score_catalog.JOB.run(tiny_run.spark, tiny_run.conf(CONF_WEIGHTS))
    assert (report.counts[0].rows_in, report.counts[0].rows_out) == (45, 45)
    left = before.where(F.col("query_id") != gone)
    assert_df_equality(left, scores(tiny_run).select(*columns), ignore_row_order=True)
    build_scoring_rows.JOB.run(tiny_run.spark, tiny_run.conf())
    score_catalog.JOB.run(tiny_run.spark, tiny_run.conf(CONF_WEIGHTS))


def test_a_trial_ranks_as_scoring_with_its_weights_does(tiny_run: Any, scored: JobReport) -> None:
    before = scores(tiny_run).localCheckpoint()
    trial = Job(reweight.try_weights("other"), "").run(
        tiny_run.spark, tiny_run.conf(*OTHER_WEIGHTS)
    )
    assert [c.rows_out for c in trial.counts] == [50, 1]
    assert_df_equality(before, scores(tiny_run), ignore_row_order=True)
    columns = ["query_id", "item_id", "region", "value", "rank"]
    tried = tiny_run.warehouse().read_run(SCORE_TRIALS).select(*columns)
    score_catalog.JOB.run(tiny_run.spark, tiny_run.conf(*OTHER_WEIGHTS))
    by_scoring = scores(tiny_run).select(*columns).localCheckpoint()
    assert tried.count() == 50 and tried.exceptAll(by_scoring).count() == 0
    score_catalog.JOB.run(tiny_run.spark, tiny_run.conf(CONF_WEIGHTS))
    assert by_scoring.exceptAll(scores(tiny_run).select(*columns)).count() > 0


def test_tuned_weights_are_taken_where_they_exist(tiny_run: Any, table_frame: Any) -> None:
    warehouse = tiny_run.warehouse()
    assert find_weights_in_force(warehouse).table.get_region("us").relevance == 0.1
    assert "those of conf" in warehouse.report.notes[0]
    tuned = {"region": "us", "w_relevance": 2.0, "weights_version": "v", "origin": "tuned"}
    warehouse.replace_run(VALUE_WEIGHTS, table_frame(VALUE_WEIGHTS, [tuned]))
    found = find_weights_in_force(warehouse)
    assert found.version == "v"
    assert found.table.get_region("us").as_tuple() == (0, 0, 0, 2.0)
    assert found.table.get_region("fr").relevance == 0.1
    assert find_weights_in_force(tiny_run.warehouse(CONF_WEIGHTS)).table.by_region == {}


def test_the_latest_earlier_model_stands_in_and_is_noted(tiny_run: Any) -> None:
    later = tiny_run.warehouse("run_date=2026-03-05")
    assert find_model_in_force(later).name == "2026-03-01"
    assert later.report.notes == ["no model of 2026-03-05: scored with that of 2026-03-01"]
    with pytest.raises(NoModelError, match="counterpoise train"):
        find_model_in_force(tiny_run.warehouse("run_date=2026-02-01"))


def test_a_model_trained_anew_is_loaded_by_workers_that_live_on(
    tiny_run: Any, scored: JobReport, retrain: Callable[..., str]
) -> None:
    before = scores(tiny_run).first()
    version = retrain(tiny_run.warehouse(), 2)
    report = score_catalog.JOB.run(tiny_run.spark, tiny_run.conf(CONF_WEIGHTS))
    after = scores(tiny_run).first()
    retrain(tiny_run.warehouse(), 1)
    assert report.details["model_version"] == version == after.model_version
    assert before.p_click != after.p_click


def test_examples_are_scored_with_the_features_of_their_day(tiny_run: Any) -> None:
    build_training_set.JOB.run(tiny_run.spark, tiny_run.conf())
    report = score_examples.JOB.run(tiny_run.spark, tiny_run.conf())
    warehouse = tiny_run.warehouse()
    rows = warehouse.read_run(EXAMPLE_SCORES)
    assert [c.rows_out for c in report.counts] == [26]
    assert {r.split for r in rows.select("split").collect()} == {"validation", "test"}
    examples = build_training_set.build(build_training_set.read_inputs(warehouse), tiny_run.conf())
    names = [feature.name for feature in FEATURES]
    both = rows.join(examples.select("example_id", *names), on="example_id", how="inner").toPandas()
    plain = load_model(warehouse.model_dir()).predict(both[names].to_numpy(np.float32))
    np.testing.assert_allclose(both.p_click, plain["p_click"], rtol=1e-5)
    np.testing.assert_allclose(both.p_ge_2, plain["p_ge_2"], rtol=1e-5)
    assert both.bm25.tolist() == both.pair_bm25.tolist()
    assert both.popularity.tolist() == both.item_region_popularity.tolist()
    assert (both.search_id.isna() == (both.position == 0)).all()


@pytest.mark.parametrize(
    ("taught", "neutral"), [(("us",), 5), ((), 6), (("us", "fr"), 2), (None, 0)]
)
def test_pairs_that_the_region_part_leaves_as_they_are(
    spark: SparkSession, taught: tuple[str, ...] | None, neutral: int
) -> None:
    """A region without training rows, and no region at all."""
    rows = spark.createDataFrame(
        [("us", ["a"]), ("fr", ["a", "b", "c"]), (None, ["a", "b"])],
        "region string, item_ids array<string>",
    )
    found = rows.agg(F.sum(score_catalog.neutral_pairs(taught))).collect()[0][0]
    assert found == neutral


def test_the_report_says_who_adopted_the_weights_while_they_are_in_force(
    tiny_run: Any, packed: JobReport, table_frame: Any
) -> None:
    warehouse = tiny_run.warehouse()
    weights = WeightTable.from_conf(warehouse.conf.tree.value)
    adopted = {
        "decision_no": 1,
        "decision": "adopted",
        "decided_by": "Ada",
        "why": "misfits on top",
        "decided_at": dt.datetime(2026, 3, 1),
        "trial": "fit-up",
        "weights": weights.to_json(),
        "weights_version": weights.version,
    }
    ended = adopted | {"decision_no": 2, "decision": "tuned"}
    texts = []
    for decision in (adopted, ended):
        warehouse.merge(WEIGHT_DECISIONS, table_frame(WEIGHT_DECISIONS, [decision]))
        score_catalog.JOB.run(tiny_run.spark, tiny_run.conf(CONF_WEIGHTS))
        texts.append((warehouse.report_dir() / "report.md").read_text(encoding="utf-8"))
    assert "adopted by Ada from 2026-03-01 on: misfits on top" in texts[0]
    assert "Ada" not in texts[1]


def test_dry_runs_write_nothing(tiny_run: Any, scored: JobReport) -> None:
    versions = [tiny_run.warehouse().read_version(table) for table in (SCORES, SCORING_ROWS)]
    for work in (build_scoring_rows.run, score_catalog.run, reweight.try_weights("dry")):
        report = Job(work, "").run(tiny_run.spark, tiny_run.conf(CONF_WEIGHTS, dry_run=True))
        assert report.outputs == {}
    assert [
        tiny_run.warehouse().read_version(table) for table in (SCORES, SCORING_ROWS)
    ] == versions
