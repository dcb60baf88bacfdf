"""Metrics as JSON lines and to MLflow; a store that fails costs a note, not the model."""

import builtins
from pathlib import Path
from typing import Any

import pytest

from conf.sections.platform import TrackingConf
from model.tracking import append_line, flat, log_to_mlflow, write_lines

HISTORY = [
    {"epoch": 1, "train": {"click": 0.5, "cart": None}, "validation_loss": 1.5},
    {"epoch": 2, "train": {"click": 0.4, "cart": None}, "validation_loss": 1.25},
]


def log(conf: TrackingConf, root: Path, version: str = "v1") -> str | None:
    return log_to_mlflow(conf, root, "run", version, {"a": 1}, HISTORY, {"auc": {"click": 0.75}})


def test_flat_names_and_numbers_only() -> None:
    record = {"a": 1, "b": {"c": 0.5, "d": None}, "e": "text", "f": True}
    assert flat(record) == {"a": 1.0, "b/c": 0.5}


def test_lines_are_started_anew_then_appended(tmp_path: Path) -> None:
    write_lines(tmp_path / "x", [{"epoch": 1}])
    append_line(tmp_path / "x", {"epoch": 2})
    write_lines(tmp_path / "x", [{"epoch": 1}])
    append_line(tmp_path / "x", {"epoch": 2})
    assert (tmp_path / "x" / "metrics.jsonl").read_text() == '{"epoch": 1}\n{"epoch": 2}\n'


def test_one_run_a_model_version_in_the_local_store(tmp_path: Path) -> None:
    mlflow = pytest.importorskip("mlflow.tracking", reason="MLflow is not installed")
    conf = TrackingConf()
    assert log(conf, tmp_path) is None
    assert log(conf, tmp_path) is None
    client = mlflow.MlflowClient(tracking_uri=f"sqlite:///{tmp_path / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("counterpoise").experiment_id
    (run,) = client.search_runs([experiment])
    assert run.data.metrics["auc/click"] == 0.75 and run.data.params == {"a": "1"}
    losses = client.get_metric_history(run.info.run_id, "validation_loss")
    assert [(m.step, m.value) for m in losses] == [(1, 1.5), (2, 1.25)]


def test_a_store_that_fails_is_a_note(tmp_path: Path) -> None:
    note = log(TrackingConf(uri="no-such-scheme://x"), tmp_path)
    assert note is not None and note.startswith("MLflow: not logged")


def test_without_mlflow_it_is_a_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def absent(name: str, *rest: Any, **named: Any) -> Any:
        if name.startswith("mlflow"):
            raise ModuleNotFoundError("No module named 'mlflow'", name="mlflow")
        return real(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", absent)
    assert log(TrackingConf(), tmp_path) == "MLflow: not logged, it is not installed (mlflow)"


def test_switched_off(tmp_path: Path) -> None:
    assert log(TrackingConf(mlflow=False), tmp_path) is None
    assert not (tmp_path / "mlflow.db").exists()
