"""The gate of the ranker on the tiny run: admitted, refused, rolled back, gone."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from conf.errors import GateRefusedError
from features.contracts import MODEL_DECISIONS, SCORES
from jobs import admit_model, build_scoring_rows, build_training_set, score_catalog
from jobs.platform.job import Job
from jobs.serving.in_force import OtherFeaturesError, find_model_in_force
from jobs.serving.models import (
    ModelGoneError,
    NoRollbackError,
    find_in_force,
    name_admitted_dir,
)
from udfs.model_files import model_version

FEW = ("evaluation.blocks=20", "evaluation.bootstrap=20")
JUDGED = (*FEW, "value.min_queries=1", "admission.max_calibration_error=0")
"""The one validation query counts, and no model is that well calibrated."""


@pytest.fixture(scope="module")
def own_run(tiny_run: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The tiny run in a folder of its own: decisions must not reach other tests."""
    root = tmp_path_factory.mktemp("gate") / "warehouse"
    shutil.copytree(tiny_run.root, root)
    run = replace(tiny_run, root=str(root))
    build_scoring_rows.JOB.run(run.spark, run.conf())
    build_training_set.JOB.run(run.spark, run.conf())
    return run


def decisions(run: Any) -> list[Any]:
    rows: list[Any] = run.warehouse().read(MODEL_DECISIONS).orderBy("decision_no").collect()
    return rows


def served(run: Any) -> str:
    return model_version(find_model_in_force(run.warehouse()))


def test_a_refused_night_scores_with_the_model_before_and_a_rollback_goes_back(
    own_run: Any, retrain: Callable[..., str]
) -> None:
    spark, warehouse = own_run.spark, own_run.warehouse()
    first = served(own_run)
    report = admit_model.JOB.run(spark, own_run.conf(*FEW))
    assert [(r.model_version, r.decision) for r in decisions(own_run)] == [(first, "admitted")]
    assert "fewer than 50 validation queries" in " ".join(report.notes)

    second = retrain(warehouse, 2)
    with pytest.raises(GateRefusedError, match=r"admission\.on_refusal is stop"):
        admit_model.JOB.run(spark, own_run.conf(*JUDGED, "admission.on_refusal=stop"))
    report = admit_model.JOB.run(spark, own_run.conf(*JUDGED))
    refused = decisions(own_run)[1:]
    assert [(r.model_version, r.decision) for r in refused] == [(second, "refused")]
    assert "calibration of click, all, 1 queries" in " ".join(refused[0].reasons)
    assert f"Scored with model {first}" in report.warnings[0]
    metrics = json.loads(refused[0].metrics)
    assert all(f["gain"] is not None for f in metrics["rankings"]) and metrics["rankings"]
    beside = {f["part"]: f for f in metrics["baselines"]}
    assert set(beside) == {"relevance_only"}, "one page says nothing of engagement"
    assert beside["relevance_only"]["baseline"] == "cosine"
    assert all(f["gap_in_force"] is not None for f in beside.values())
    assert all(f["loss"] is not None for f in metrics["calibration"]) and metrics["calibration"]
    assert refused[0].compared_with == first == served(own_run)
    score_catalog.JOB.run(spark, own_run.conf())
    scores = warehouse.read_run(SCORES)
    assert {r.model_version for r in scores.select("model_version").distinct().collect()} == {first}
    page = (warehouse.report_dir() / "report.md").read_text(encoding="utf-8")
    assert "| relevance_ndcg@10_exp | all |" in page
    assert "| relevance_only, relevance_ndcg@10_exp | cosine |" in page

    admit_model.JOB.run(spark, own_run.conf(*FEW))  # other terms: judged again
    assert served(own_run) == second
    report = Job(admit_model.roll_back("Ada", "sold less"), "").run(spark, own_run.conf())
    assert served(own_run) == first
    assert f"model {first} serves from the next scoring on" in report.notes[0]
    report = admit_model.JOB.run(spark, own_run.conf(*FEW))
    assert served(own_run) == first, "a revoked model was admitted again"
    assert "is revoked: sold less" in report.warnings[0]
    assert [r.decision for r in decisions(own_run)] == [
        "admitted",
        "refused",
        "admitted",
        "revoked",
    ]
    assert decisions(own_run)[-1].decided_by == "Ada"
    with pytest.raises(NoRollbackError, match="no model was admitted before"):
        Job(admit_model.roll_back("Ada", "again"), "").run(spark, own_run.conf())

    manifest = name_admitted_dir(warehouse, first) / "manifest.json"
    manifest.write_text(manifest.read_text()[:40])
    with pytest.raises(ModelGoneError, match=f"is not whole in {manifest.parent}: put the folder"):
        find_model_in_force(own_run.warehouse())
    shutil.rmtree(name_admitted_dir(warehouse, first))
    with pytest.raises(ModelGoneError, match=f"model {first}, in force by decision 1"):
        find_model_in_force(own_run.warehouse())


def test_the_steps_that_serve_see_that_another_model_is_in_force() -> None:
    from jobs import score_examples
    from jobs.registry import CHAIN

    for job in (score_examples.JOB, score_catalog.JOB):
        assert MODEL_DECISIONS in job.reads and MODEL_DECISIONS in job.may_lack
    at = CHAIN.index("admit_model")
    assert CHAIN[at - 1] == "train" and CHAIN[at + 1] == "score_examples"


def _row(number: int, version: str, decision: str, day: int = 1) -> dict[str, Any]:
    return {
        "decision_no": number,
        "model_version": version,
        "decision": decision,
        "run_date": f"2026-03-0{day}",
    }


def test_the_last_admitted_model_that_was_not_revoked_is_in_force() -> None:
    assert find_in_force([]) is None
    rows = [_row(1, "a", "admitted"), _row(2, "b", "admitted", 2), _row(3, "c", "refused", 3)]
    assert find_in_force(rows) == rows[1]
    assert find_in_force([*rows, _row(4, "b", "revoked", 3)]) == rows[0]
    late = _row(4, "z", "admitted", 1)  # a night for an earlier date, run later
    assert find_in_force([rows[0], late, *rows[1:]]) == rows[1]


def test_a_first_model_that_is_refused_stops_the_night(own_run: Any, tmp_path: Path) -> None:
    shutil.copytree(own_run.root, tmp_path / "warehouse", ignore=shutil.ignore_patterns("model_*"))
    fresh = replace(own_run, root=str(tmp_path / "warehouse"))
    with pytest.raises(GateRefusedError, match="no other model was admitted"):
        admit_model.JOB.run(fresh.spark, fresh.conf(*JUDGED))
    assert [r.decision for r in decisions(fresh)] == ["refused"]


def test_a_model_in_force_of_other_regions_is_no_opponent_and_scores_nothing(
    own_run: Any, retrain: Callable[..., str], tmp_path: Path
) -> None:
    shutil.copytree(own_run.root, tmp_path / "warehouse", ignore=shutil.ignore_patterns("model_*"))
    run, more = replace(own_run, root=str(tmp_path / "warehouse")), "regions=[us, fr, de]"
    retrain(run.warehouse(), 5)
    admit_model.JOB.run(run.spark, run.conf(*FEW))
    with pytest.raises(
        OtherFeaturesError, match=r"regions \['us', 'fr'\], now \['us', 'fr', 'de'\]"
    ):
        score_catalog.JOB.run(run.spark, run.conf(more))
    with_de = retrain(run.warehouse(more), 6)
    report = admit_model.JOB.run(run.spark, run.conf(*FEW, more))
    assert "reads other features (regions" in report.warnings[0]
    assert served(run) == with_de
