"""The gate of the ranker on the tiny run."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from conf.errors import GateRefusedError
from features.contracts import MODEL_DECISIONS
from jobs import admit_model, build_scoring_rows, build_training_set, score_catalog
from jobs.platform.models import in_force

FEW = ("evaluation.blocks=20", "evaluation.bootstrap=20")
JUDGED = (*FEW, "value.min_queries=1", "admission.max_calibration_error=0")
"""The one validation query counts, and no model is that well calibrated."""


@pytest.fixture(scope="module")
def own_run(tiny_run: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The tiny run in a folder of its own: decisions must not reach other tests."""
    root = tmp_path_factory.mktemp("gate") / "warehouse"
    shutil.copytree(tiny_run.root, root)
    run = replace(tiny_run, root=str(root))
    build_scoring_rows.run(run.spark, run.conf())
    build_training_set.run(run.spark, run.conf())
    return run


def decisions(run: Any) -> list[Any]:
    rows: list[Any] = run.warehouse().read(MODEL_DECISIONS).orderBy("decision_no").collect()
    return rows


def test_the_steps_that_serve_see_that_another_model_is_in_force() -> None:
    from jobs import evaluate, score_examples

    for job in (score_examples.JOB, score_catalog.JOB, evaluate.JOB):
        assert MODEL_DECISIONS in job.reads and MODEL_DECISIONS in job.may_lack


def _row(number: int, version: str, decision: str, day: int = 1) -> dict[str, Any]:
    return {
        "decision_no": number,
        "model_version": version,
        "decision": decision,
        "run_date": f"2026-03-0{day}",
    }


def test_the_last_admitted_model_that_was_not_revoked_is_in_force() -> None:
    assert in_force([]) is None
    rows = [_row(1, "a", "admitted"), _row(2, "b", "admitted", 2), _row(3, "c", "refused", 3)]
    assert in_force(rows) == rows[1]
    assert in_force([*rows, _row(4, "b", "revoked", 3)]) == rows[0]
    late = _row(4, "z", "admitted", 1)  # a night for an earlier date, run later
    assert in_force([rows[0], late, *rows[1:]]) == rows[1]


def test_a_first_model_that_is_refused_stops_the_night(own_run: Any, tmp_path: Path) -> None:
    shutil.copytree(own_run.root, tmp_path / "warehouse", ignore=shutil.ignore_patterns("model_*"))
    fresh = replace(own_run, root=str(tmp_path / "warehouse"))
    with pytest.raises(GateRefusedError, match="no other model was admitted"):
        admit_model.run(fresh.spark, fresh.conf(*JUDGED))
    assert [r.decision for r in decisions(fresh)] == ["refused"]
