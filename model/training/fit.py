"""From a snapshot to a fitted ranker: statistics, training, calibration, metrics."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conf.schema import Conf
from model.feed import Snapshot
from model.regions.coverage import region_coverage
from model.serving.artifact import Artifact
from model.serving.calibrators import fit_all
from model.standardise import measure
from model.training.checkpoint import Progress
from model.training.launcher import launch
from model.training.task import TrainTask
from model.training.tracking import LINES
from model.training.trainer import trained
from model.training.validation import metrics_of, predict_split


@dataclass(frozen=True)
class Fitted:
    """A fitted ranker, ready to be saved, and how it came about.

    Attributes:
        metrics: JSON-able: epochs, losses, rows read an epoch, validation metrics by output.
    """

    artifact: Artifact
    progress: Progress
    metrics: dict[str, Any]


def fit(
    snapshot: Snapshot, conf: Conf, folder: Path, conf_text: str, origin: dict[str, Any]
) -> Fitted:
    """Fit a ranker on a verified snapshot.

    Early stopping and calibration both use the validation queries: their metrics are a little
    better than on unseen queries, which is why `evaluate` reads the test queries only.

    Args:
        folder: where the checkpoint is kept, so that a killed training goes on from it.
        conf_text: resolved conf, kept with the model.
        origin: further entries of the model's manifest (conf hash, code version).
    """
    scale = measure(snapshot)
    task = TrainTask(snapshot.folder, folder, scale, conf.model, conf.feed, conf.trainer, conf.seed)
    launch(task)
    ranker, progress = trained(task)
    validated = predict_split(ranker, snapshot, conf.feed)
    calibrators = fit_all(
        validated.known, validated.region, snapshot.spec.regions, conf.calibration
    )
    metrics = {
        "epochs": progress.epoch,
        "best_epoch": progress.best_epoch,
        "validation_loss": progress.best_loss,
        "rows": progress.history[-1]["rows"],
        "validation": metrics_of(validated, calibrators),
        "neutral_regions": region_coverage(snapshot.spec, scale, validated.region),
    }
    artifact = Artifact(
        ranker=ranker,
        scale=scale,
        conf=conf.model,
        calibrators=calibrators,
        extra={
            "metrics.json": json.dumps(metrics, indent=1) + "\n",
            LINES: (folder / LINES).read_text(encoding="utf-8"),
            "conf.yaml": conf_text,
        },
        origin={
            "snapshot_version": snapshot.version,
            "snapshot_manifest_sha256": snapshot.manifest_sha256,
            **origin,
        },
    )
    return Fitted(artifact, progress, metrics)
