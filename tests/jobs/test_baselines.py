"""Baselines on the tiny run: fitted once, scored beside the model, measured by evaluate."""

from typing import Any

import numpy as np
import pytest

from features.contracts import EXAMPLE_SCORES, METRICS, SCORING_ROWS, TRAINING_EXAMPLES
from features.declarations import FEATURES, ITEM_LEVEL, PAIR_LEVEL
from jobs import build_scoring_rows, build_training_set, evaluate, score_examples
from jobs.platform.runner import open_warehouse
from jobs.reports import baselines as module
from jobs.reports.baselines import prepare_baselines
from model.baselines import Baselines
from model.baselines.boosting import Point
from udfs.baselines import score_column

SETTINGS = ("baselines.rounds=3", "evaluation.blocks=20", "evaluation.bootstrap=20")
FINE = Point(leaves=4, learning_rate=0.5, min_leaf=1, l2=0.0, ids=True)
NAMES = [feature.name for feature in FEATURES]


@pytest.fixture(scope="module")
def prepared(tiny_run: Any) -> Any:
    build_training_set.JOB.run(tiny_run.spark, tiny_run.conf())
    build_scoring_rows.JOB.run(tiny_run.spark, tiny_run.conf())
    score_examples.JOB.run(tiny_run.spark, tiny_run.conf())
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("model.baselines.boosting.draw_points", lambda *_: [FINE])
        found = prepare_baselines(tiny_run.warehouse(*SETTINGS))
    assert found.baselines is not None
    return found


def test_every_default_arm_is_fitted_on_the_nightly_snapshot(prepared: Any) -> None:
    assert prepared.baselines.notes == ()
    assert "lambdamart_engagement" in prepared.baselines.arms
    # The three days of the tiny run are too young for carts and purchases: no page has all labels,
    # so LambdaMART has no page to learn from; the clicks are known.
    assert prepared.baselines.rankings["lambdamart_engagement"].booster is None
    assert prepared.baselines.probabilities["lightgbm"]["click"].booster is not None


def test_scores_in_spark_equal_those_of_plain_rows(tiny_run: Any, prepared: Any) -> None:
    warehouse = tiny_run.warehouse(*SETTINGS)
    test = warehouse.read_run(EXAMPLE_SCORES).where("split = 'test'")
    examples = warehouse.read_run(TRAINING_EXAMPLES).where("split = 'test'")
    rows = prepared.join_examples(test, "test").toPandas().sort_values("example_id")
    plain = examples.toPandas().sort_values("example_id")
    assert len(rows) == len(plain) > 0
    _require_equal(prepared.baselines, rows, plain[NAMES].to_numpy(np.float32))


def test_candidates_are_unpacked_in_their_order(tiny_run: Any, prepared: Any) -> None:
    packed = tiny_run.warehouse().read_run(SCORING_ROWS).orderBy("query_id").collect()
    query_columns = [i for i, f in enumerate(FEATURES) if f.table == "query"]
    other_columns = [i for i, f in enumerate(FEATURES) if f.table != "query"]
    matrices, pairs = [], []
    for row in packed:
        matrix = np.zeros((len(row.item_ids), len(NAMES)), np.float32)
        matrix[:, query_columns] = row.query_values
        width = len((*ITEM_LEVEL, *PAIR_LEVEL))
        matrix[:, other_columns] = np.reshape(row.candidate_values, (-1, width))
        matrices.append(matrix)
        pairs += [(row.query_id, item) for item in row.item_ids]
    keys = tiny_run.spark.createDataFrame(pairs, "query_id string, item_id string")
    rows = prepared.join_served(keys).toPandas().sort_values(["query_id", "item_id"])
    _require_equal(prepared.baselines, rows, np.concatenate(matrices))


@pytest.mark.parametrize("text", ['{"names": [', "{}", "[]"])
def test_a_damaged_file_is_named_and_made_again(tiny_run: Any, prepared: Any, text: str) -> None:
    whole = prepared.path.read_text()
    prepared.path.write_text(text)
    warehouse = tiny_run.warehouse(*SETTINGS)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(module, "fit_baselines", lambda *_: prepared.baselines)
        again = prepare_baselines(warehouse)
    (warning,) = warehouse.report.warnings
    assert f"{prepared.path} is damaged" in warning and "fitted anew" in warning
    assert again.path.read_text() == whole


def test_a_second_run_fits_nothing_and_another_conf_does(
    tiny_run: Any, prepared: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    fits: list[int] = []
    monkeypatch.setattr(module, "fit_baselines", lambda *_: fits.append(1) or prepared.baselines)
    again = prepare_baselines(tiny_run.warehouse(*SETTINGS))
    assert (again.path, fits) == (prepared.path, [])
    other = prepare_baselines(tiny_run.warehouse(*SETTINGS, "baselines.trials=2"))
    assert (len(fits), other.path == prepared.path) == (1, False)
    assert list(other.path.parent.glob("*")) == [other.path]
    prepare_baselines(tiny_run.warehouse(*SETTINGS))


def test_evaluate_measures_the_baselines(tiny_run: Any, prepared: Any) -> None:
    conf = tiny_run.conf(*SETTINGS)
    report = evaluate.JOB.run(tiny_run.spark, conf)
    rows = tiny_run.warehouse().read_run(METRICS).collect()
    found = {(r.ranker, r.metric): r for r in rows if r.region == "all"}
    for ranker in ("cosine", "lightgbm", "lightgbm_position", "lambdamart_engagement"):
        row = found[ranker, "engagement_ndcg@10_click"]
        assert (row.reference, row.simulated) == ("engagement_only", True)
        assert row.difference is not None
    grades = "relevance_ndcg@10_exp"
    assert found["lightgbm_relevance", grades].simulated
    assert not found["cosine", grades].simulated
    compared = {entry["check"]: entry for entry in report.details["baselines"]}
    assert compared["relevance_input"]["baseline"] == "cosine"
    lost = compared["relevance_input"]["difference"] <= 0
    assert lost == any("cosine" in line for line in report.warnings)


def test_a_dry_run_and_no_snapshot_fit_nothing(tiny_run: Any, tmp_path: Any) -> None:
    dry = prepare_baselines(open_warehouse(tiny_run.spark, tiny_run.conf(dry_run=True), "test")[0])
    assert dry.baselines is None and dry.build_rankers({}, tiny_run.conf().tree.value.weights) == {}
    bare = tiny_run.warehouse(f"storage.root={tmp_path}")
    assert prepare_baselines(bare).baselines is None
    assert "no training snapshot" in bare.report.notes[0]


def _require_equal(baselines: Baselines, rows: Any, features: Any) -> None:
    expected = baselines.score_candidates(features)
    for arm in ("cosine", "lambdamart_engagement"):
        got = rows[score_column(arm, "engagement")].to_numpy()
        np.testing.assert_allclose(got, expected[arm]["engagement"])
    for what in ("p_click", "p_cart", "p_purchase", "relevance"):
        got = rows[score_column("lightgbm_position", what)].to_numpy()
        np.testing.assert_allclose(got, expected["lightgbm_position"][what])
    assert len(np.unique(expected["cosine"]["engagement"])) > 2
