"""From a snapshot to a fitted ranker: statistics, training, calibration, metrics."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from conf.schema import Conf
from conf.sections.training import FeedConf
from model.evaluation.metrics import compute_auc, compute_log_losses
from model.feed import Batch, RowSelection, Snapshot, read_batches
from model.ranker import Ranker
from model.serving.artifact import Artifact
from model.serving.calibrators import Calibrators, LabelledPredictions, fit_calibrators
from model.spec import RELEVANCE, InputSpec
from model.standardise import Standardisation, measure_inputs
from model.training.checkpoint import Progress
from model.training.launcher import launch_training
from model.training.task import TrainTask
from model.training.tracking import LINES
from model.training.trainer import load_trained

MAX_ROWS = 2_000_000
"""Rows kept in memory, from the first files: the snapshot's rows are in random order."""


@dataclass(frozen=True)
class FittedRanker:
    """A fitted ranker, ready to be saved, and how it came about.

    Attributes:
        metrics: JSON-able: epochs, losses, rows read an epoch, validation metrics by output.
    """

    artifact: Artifact
    progress: Progress
    metrics: dict[str, Any]


def fit_ranker(
    snapshot: Snapshot,
    conf: Conf,
    folder: Path,
    conf_text: str,
    origin: dict[str, Any],
    start: Path | None = None,
    scale: Standardisation | None = None,
) -> FittedRanker:
    """Fit a ranker on a verified snapshot.

    Early stopping and calibration both use the validation queries: their metrics are a little
    better than on unseen queries, which is why `evaluate` reads the test queries only.

    Args:
        folder: where the checkpoint is kept, so that a killed training goes on from it.
        conf_text: resolved conf, kept with the model.
        origin: further entries of the model's manifest (conf hash, code version).
        start: directory of a saved model whose weights the training begins with; None: fresh ones.
        scale: statistics of the inputs, which a start must share; None: measured on the snapshot.

    Raises:
        StartError: the start's features, regions, architecture or statistics are others.
    """
    scale = scale or measure_inputs(snapshot)
    task = TrainTask(
        snapshot.folder, folder, scale, conf.model, conf.feed, conf.trainer, conf.seed, start
    )
    launch_training(task)
    ranker, progress = load_trained(task)
    validated = predict_split(ranker, snapshot, conf.feed)
    calibrators = fit_calibrators(
        validated.by_output, validated.region, snapshot.spec.regions, conf.calibration
    )
    metrics = {
        "epochs": progress.epoch,
        "best_epoch": progress.best_epoch,
        "validation_loss": progress.best_loss,
        "rows": progress.history[-1]["rows"],
        "validation": compute_metrics(validated, calibrators),
        "neutral_regions": measure_region_coverage(snapshot.spec, scale, validated.region),
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
    return FittedRanker(artifact, progress, metrics)


def measure_region_coverage(
    spec: InputSpec, scale: Standardisation, region: npt.NDArray[np.int64]
) -> dict[str, Any]:
    """List the regions that training has not seen, and count the rows that are neutral to a region
    part.

    Args:
        region: [N] region ids of the validation rows, 0 unknown.

    Returns:
        unseen: declared regions without a training row; train_rows, validation_rows: rows of them
        or of the unknown region (count).
    """
    unseen = scale.list_unseen(spec.regions)
    ids = [0, *(spec.regions.index(name) + 1 for name in unseen)]
    return {
        "unseen": list(unseen),
        "train_rows": int(scale.region_rows[0]) if scale.region_rows else 0,
        "validation_rows": int(np.isin(region, ids).sum()),
    }


@dataclass(frozen=True)
class Validated:
    """Predictions at the logged positions, with labels, by output name; region ids [N]."""

    by_output: Mapping[str, LabelledPredictions]
    region: npt.NDArray[np.int64]

    @property
    def rows(self) -> int:
        """Rows predicted (count)."""
        return len(self.region)


def predict_split(
    ranker: Ranker, snapshot: Snapshot, conf: FeedConf, split: str = "validation"
) -> Validated:
    """Predict the rows of a split in the order of its files, MAX_ROWS at most."""
    spec = snapshot.spec
    by_file = conf.model_copy(update={"group_by_list": False})
    parts: list[npt.NDArray[np.float64]] = []
    rows = 0
    with torch.inference_mode():
        for batch in read_batches(snapshot, RowSelection(split), by_file):
            block = _predict_block(ranker, spec, batch)
            parts.append(block)
            rows += block.shape[1]
            if rows >= MAX_ROWS:
                break
    columns = np.concatenate(parts, axis=1)
    outputs = len(spec.outputs)
    p, label, weight = columns[:outputs], columns[outputs : 2 * outputs], columns[2 * outputs : -1]
    by_output = {
        name: LabelledPredictions(p[i], label[i], weight[i]) for i, name in enumerate(spec.outputs)
    }
    return Validated(by_output, columns[-1].astype(np.int64))


def compute_metrics(
    validated: Validated, calibrators: Calibrators
) -> dict[str, dict[str, float | int]]:
    """Compute by output: rows with a label, positives, log loss, AUC, and what calibration makes of
    them.

    Predictions and labels are those of the logged positions. `calibrated_loss` and
    `calibration_ratio` (mean calibrated prediction over mean label) are in-sample: the maps were
    fitted on the same rows.
    """
    raw = {name: rows.p.astype(np.float32) for name, rows in validated.by_output.items()}
    calibrated = calibrators.apply(raw, validated.region)
    return {
        name: _compute_output_metrics(rows, calibrated[name].astype(np.float64))
        for name, rows in validated.by_output.items()
    }


def _compute_output_metrics(
    rows: LabelledPredictions, calibrated: npt.NDArray[np.float64]
) -> dict[str, float | int]:
    labelled = rows.weight > 0
    p, label, weight = rows.p[labelled], rows.label[labelled], rows.weight[labelled]
    metrics: dict[str, float | int] = {"n": len(p), "positives": float(label.sum())}
    if len(p):
        mean = float(np.average(label, weights=weight))
        metrics["loss"] = _average_log_loss(p, label, weight)
        metrics["auc"] = compute_auc(p, label)
        metrics["calibrated_loss"] = _average_log_loss(calibrated[labelled], label, weight)
        if mean > 0:
            ratio = float(np.average(calibrated[labelled], weights=weight)) / mean
            metrics["calibration_ratio"] = ratio
    return {k: v for k, v in metrics.items() if np.isfinite(v)}


def _average_log_loss(
    p: npt.NDArray[np.float64], label: npt.NDArray[np.float64], weight: npt.NDArray[np.float64]
) -> float:
    """Average the weighted cross-entropy (nats)."""
    return float(np.average(compute_log_losses(p, label), weights=weight))


def _predict_block(ranker: Ranker, spec: InputSpec, batch: Batch) -> npt.NDArray[np.float64]:
    """Predict a batch without its padding, [3 * outputs + 1, rows]: probabilities, labels, weights,
    region."""
    predicted = ranker.predict(batch.features, batch.position)
    labels = [batch.get_label(f"label_{name}") for name in (*spec.tasks, *spec.grades)]
    weights = [batch.get_label(f"mask_{task}") for task in spec.tasks]
    if spec.relevance:
        graded = batch.get_label(f"mask_{RELEVANCE}") * batch.get_label(f"weight_{RELEVANCE}")
        weights += [graded] * len(spec.grades)
    column = spec.region_position
    region = batch.features[:, column] if column is not None else torch.zeros_like(batch.weight)
    stacked = torch.stack([*predicted.values(), *labels, *weights, region])
    real: Any = stacked[:, batch.weight > 0].numpy()
    return np.asarray(real, np.float64)
