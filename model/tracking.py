"""Where training metrics go: JSON lines beside the model, and MLflow where it is installed."""

import json
import logging
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from conf.sections.platform import TrackingConf

LINES = "metrics.jsonl"
_VERSION_TAG = "counterpoise.model_version"


def write_lines(folder: Path, records: Sequence[Mapping[str, Any]]) -> None:
    """Start metrics.jsonl of `folder` anew with these records, one a line."""
    folder.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(record) + "\n" for record in records)
    (folder / LINES).write_text(text, encoding="utf-8")


def append_line(folder: Path, record: Mapping[str, Any]) -> None:
    """Add one record."""
    with (folder / LINES).open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(record) + "\n")


def flat(record: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """The numbers of a nested record under slash-joined names."""
    numbers: dict[str, float] = {}
    for key, value in record.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            numbers |= flat(value, f"{name}/")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            numbers[name] = float(value)
    return numbers


def log_to_mlflow(
    conf: TrackingConf,
    root: Path,
    name: str,
    version: str,
    parameters: Mapping[str, Any],
    history: Sequence[Mapping[str, Any]],
    metrics: Mapping[str, Any],
) -> str | None:
    """Log a finished training as one run; the reason where that failed, else None.

    Nothing is raised: a model must not be lost because its metrics could not be logged. A run
    of the same model version is not logged twice.

    Args:
        root: folder of the SQLite store where conf names no URI.
        name: run name.
        history: one record an epoch, with "epoch".
        metrics: final metrics, nested.
    """
    if not conf.mlflow:
        return None
    try:
        _log(conf, root, name, version, parameters, history, metrics)
    except ImportError as error:
        return f"MLflow: not logged, it is not installed ({error.name})"
    except Exception as error:  # a tracking store can fail in any way of its own
        return f"MLflow: not logged, {type(error).__name__}: {error}"
    return None


def _log(
    conf: TrackingConf,
    root: Path,
    name: str,
    version: str,
    parameters: Mapping[str, Any],
    history: Sequence[Mapping[str, Any]],
    metrics: Mapping[str, Any],
) -> None:
    from mlflow.entities import Metric, Param
    from mlflow.tracking import MlflowClient

    for noisy in ("mlflow", "alembic"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    client = MlflowClient(tracking_uri=conf.uri or f"sqlite:///{_store(root)}")
    experiment = _experiment(client, conf.experiment, root)
    known = client.search_runs([experiment], f"tags.`{_VERSION_TAG}` = '{version}'", max_results=1)
    if known:
        return
    run = client.create_run(experiment, run_name=name, tags={_VERSION_TAG: version}).info.run_id
    now = int(time.time() * 1000)
    points = [
        Metric(key, value, now, int(record["epoch"]))
        for record in history
        for key, value in flat(record).items()
    ]
    points += [Metric(key, value, now, len(history)) for key, value in flat(metrics).items()]
    params = [Param(key, str(value)[:500]) for key, value in parameters.items()]
    client.log_batch(run, metrics=points[:1000], params=params[:100])
    for start in range(1000, len(points), 1000):
        client.log_batch(run, metrics=points[start : start + 1000])
    client.set_terminated(run)


def _store(root: Path) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    return root / "mlflow.db"


def _experiment(client: Any, name: str, root: Path) -> str:
    found = client.get_experiment_by_name(name)
    if found is not None:
        return str(found.experiment_id)
    return str(client.create_experiment(name, artifact_location=(root / "mlflow").as_uri()))
