"""Where training metrics go: JSON lines beside the model, and MLflow where it is installed."""

import json
import logging
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from conf.errors import UserError
from conf.sections.platform import TrackingConf

LINES = "metrics.jsonl"
_VERSION_TAG = "counterpoise.model_version"


class TrackingError(UserError, RuntimeError):
    """A training could not be logged where conf `tracking.required` asks for it."""

    exit_code = 1  # the step failed: neither usage nor conf is wrong


def write_lines(folder: Path, records: Sequence[Mapping[str, Any]]) -> None:
    """Write metrics.jsonl of `folder` anew, one record per line.

    The whole file each time: object stores and volumes refuse to append to one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(record) + "\n" for record in records)
    (folder / LINES).write_text(text, encoding="utf-8")


def flatten_record(record: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """List the numbers of a nested record under slash-joined names."""
    numbers: dict[str, float] = {}
    for key, value in record.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            numbers |= flatten_record(value, f"{name}/")
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
    """Log a finished training as one run; returns the reason where that failed, else None.

    A model must not be lost because its metrics could not be logged: only where conf says
    `tracking.required` is that an error. A run of the same model version is not logged twice.

    Args:
        root: folder of the SQLite store where conf names no URI.
        name: run name.
        history: one record per epoch, with "epoch".
        metrics: final metrics, nested.

    Raises:
        TrackingError: it failed, and conf says that it must not.
    """
    if not conf.mlflow:
        return None
    try:
        _log_run(conf, root, name, version, parameters, history, metrics)
    except ImportError as error:
        reason = f"it is not installed ({error.name}): install the extra `tracking`"
    except Exception as error:  # a tracking store can fail in any way of its own
        reason = f"{type(error).__name__}: {error}"
    else:
        return None
    if conf.required:
        raise TrackingError(
            f"MLflow: not logged, {reason}\nmend it and run the same command again, or set "
            "tracking.required: false"
        )
    return f"MLflow: not logged, {reason}"


def _log_run(
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
    client = MlflowClient(tracking_uri=conf.uri or f"sqlite:///{_prepare_store(root)}")
    experiment = _find_experiment(client, conf, root)
    logged = client.search_runs([experiment], f"tags.`{_VERSION_TAG}` = '{version}'", max_results=1)
    if logged:
        return
    run = client.create_run(experiment, run_name=name, tags={_VERSION_TAG: version}).info.run_id
    now = int(time.time() * 1000)
    points = [
        Metric(key, value, now, int(record["epoch"]))
        for record in history
        for key, value in flatten_record(record).items()
    ]
    points += [
        Metric(key, value, now, len(history)) for key, value in flatten_record(metrics).items()
    ]
    params = [Param(key, str(value)[:500]) for key, value in parameters.items()]
    client.log_batch(run, metrics=points[:1000], params=params[:100])
    for start in range(1000, len(points), 1000):
        client.log_batch(run, metrics=points[start : start + 1000])
    client.set_terminated(run)


def _prepare_store(root: Path) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    return root / "mlflow.db"


def _find_experiment(client: Any, conf: TrackingConf, root: Path) -> str:
    """Find the experiment's id; make it where it is missing, with a store of its own for its
    artifacts."""
    experiment = client.get_experiment_by_name(conf.experiment)
    if experiment is not None:
        return str(experiment.experiment_id)
    place = None if conf.uri else (root / "mlflow").as_uri()
    return str(client.create_experiment(conf.experiment, artifact_location=place))
