"""Metrics as JSON lines and to MLflow; a store that fails costs a warning, or the step."""

import builtins
from pathlib import Path
from typing import Any

import pytest

from conf.sections.platform import TrackingConf
from model.training.tracking import (
    TrackingError,
    _find_experiment,
    flatten_record,
    log_to_mlflow,
    write_lines,
)

HISTORY = [
    {"epoch": 1, "train": {"click": 0.5, "cart": None}, "validation_loss": 1.5},
    {"epoch": 2, "train": {"click": 0.4, "cart": None}, "validation_loss": 1.25},
]


def log(conf: TrackingConf, root: Path, version: str = "v1") -> str | None:
    return log_to_mlflow(conf, root, "run", version, {"a": 1}, HISTORY, {"auc": {"click": 0.75}})


def test_flat_names_and_numbers_only() -> None:
    record = {"a": 1, "b": {"c": 0.5, "d": None}, "e": "text", "f": True}
    assert flatten_record(record) == {"a": 1.0, "b/c": 0.5}


def test_lines_are_written_anew(tmp_path: Path) -> None:
    for epochs in (1, 2):
        write_lines(tmp_path / "x", [{"epoch": epoch + 1} for epoch in range(epochs)])
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


def test_a_store_that_fails_is_told(tmp_path: Path) -> None:
    told = log(TrackingConf(uri="no-such-scheme://x"), tmp_path)
    assert told is not None and told.startswith("MLflow: not logged")


def test_a_store_that_fails_is_an_error_where_it_is_required(tmp_path: Path) -> None:
    with pytest.raises(TrackingError, match=r"(?s)not logged.*tracking\.required: false") as told:
        log(TrackingConf(uri="no-such-scheme://x", required=True), tmp_path)
    assert told.value.exit_code == 1


class _Store:
    """Stands in for a client of a store that has no experiment yet."""

    def __init__(self) -> None:
        self.made: list[tuple[str, str | None]] = []

    def get_experiment_by_name(self, name: str) -> None:
        return None

    def create_experiment(self, name: str, artifact_location: str | None) -> str:
        self.made.append((name, artifact_location))
        return "7"


def test_only_the_store_of_its_own_keeps_artifacts_under_the_root(tmp_path: Path) -> None:
    store = _Store()
    for conf in (TrackingConf(), TrackingConf(uri="databricks", experiment="/Shared/x")):
        assert _find_experiment(store, conf, tmp_path) == "7"
    assert store.made == [
        ("counterpoise", (tmp_path / "mlflow").as_uri()),
        ("/Shared/x", None),
    ]


def test_without_mlflow_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def absent(name: str, *rest: Any, **named: Any) -> Any:
        if name.startswith("mlflow"):
            raise ModuleNotFoundError("No module named 'mlflow'", name="mlflow")
        return real(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", absent)
    told = log(TrackingConf(), tmp_path)
    assert told == "MLflow: not logged, it is not installed (mlflow): install the extra `tracking`"


def test_switched_off(tmp_path: Path) -> None:
    assert log(TrackingConf(mlflow=False), tmp_path) is None
    assert not (tmp_path / "mlflow.db").exists()
