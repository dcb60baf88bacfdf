"""Makes the run date's model directory from its training snapshot.

Output: `storage.root`/models/RUN_DATE (see `model.serving.artifact`), no table.
Grain: one ranker, its calibrators and metrics.
Inputs: the snapshot of the run date, written by `build_training_set`.
Idempotency key: run date; a second run replaces the directory with an equal one. A killed run
leaves its checkpoint in models/.RUN_DATE.training, and the next one goes on from it.
Run: `counterpoise train --conf conf/homedepot.yaml --run-date 2026-03-01`
"""

import shutil
from pathlib import Path

from conf.load import ResolvedConf
from conf.text import conf_text
from jobs.command.version import code_version
from jobs.platform.job import Job
from jobs.platform.report import JobReport
from jobs.platform.run import Run
from model.feed import Snapshot, open_snapshot
from model.serving.artifact import load_model, save_model
from model.training.fit import FittedRanker, fit_ranker
from model.training.tracking import log_to_mlflow


def run(run: Run) -> None:
    """Verify the snapshot, train, calibrate, write the model directory.

    Raises:
        FileNotFoundError: there is no snapshot of the run date.
        SnapshotError: a file of it is missing or changed.
        TrackingError: the training could not be logged, and conf says that it must be.
    """
    warehouse, conf, report = run.warehouse, run.conf, run.report
    snapshot = open_snapshot(warehouse.snapshot_dir())
    snapshot.verify()
    if conf.dry_run:
        rows = {split: snapshot.count_rows(split) for split in snapshot.splits}
        report.notes.append(f"dry run: would train on {rows} rows of snapshot {snapshot.version}")
        return
    place = warehouse.model_dir()
    scratch = place.with_name(f".{place.name}.training")
    origin = {"conf_hash": conf.hash, "code_version": code_version()}
    fitted = fit_ranker(snapshot, conf.tree, scratch, conf_text(conf), origin)
    version = save_model(fitted.artifact, place)
    load_model(place, features=snapshot.spec.names)
    _report_training(report, snapshot, fitted, place, version)
    _track_training(report, conf, warehouse.root, fitted, version)
    # Last: where tracking is required and fails, the next run has nothing to train again.
    shutil.rmtree(scratch)


def _report_training(
    report: JobReport, snapshot: Snapshot, fitted: FittedRanker, place: Path, version: str
) -> None:
    rows = snapshot.count_rows("train") + snapshot.count_rows("validation")
    read = fitted.metrics["rows"]["train"] + fitted.metrics["rows"]["validation"]
    report.count_rows("model", rows, read)
    report.outputs["model"] = version
    report.details = {"model_version": version, "folder": str(place), **fitted.metrics}
    progress = fitted.progress
    report.notes.append(
        f"model {version}: {progress.epoch} epochs, best {progress.best_epoch} "
        f"(validation loss {progress.best_loss:.4f})"
    )
    for name, figures in fitted.metrics["validation"].items():
        report.notes.append(
            f"validation {name}: AUC {figures.get('auc', float('nan')):.4f}, "
            f"log loss {figures.get('loss', float('nan')):.4f}, n {figures['n']:,}"
        )
    report.notes += _neutral_regions(fitted)


def _neutral_regions(fitted: FittedRanker) -> list[str]:
    """Say what a region part leaves as it is, where there is a part and such rows."""
    counts = fitted.metrics["neutral_regions"]
    neutral = counts["train_rows"] + counts["validation_rows"]
    if fitted.artifact.conf.region_mask == "none" or not (neutral or counts["unseen"]):
        return []
    return [
        f"region part {fitted.artifact.conf.region_mask} is neutral for regions without training "
        f"rows {counts['unseen']} and for unknown ones: {counts['train_rows']:,} training and "
        f"{counts['validation_rows']:,} validation rows"
    ]


def _track_training(
    report: JobReport, conf: ResolvedConf, root: Path, fitted: FittedRanker, version: str
) -> None:
    tree = conf.tree
    parameters = {
        "conf_hash": conf.hash,
        "run_date": conf.run_date.isoformat(),
        **{f"model.{k}": v for k, v in tree.model.model_dump().items()},
        **{f"trainer.{k}": v for k, v in tree.trainer.model_dump().items()},
    }
    failure = log_to_mlflow(
        tree.tracking,
        root,
        f"{tree.name} {conf.run_date.isoformat()}",
        version,
        parameters,
        fitted.progress.history,
        fitted.metrics,
    )
    if failure:
        report.warnings.append(failure)


JOB = Job(
    run,
    summary="train and calibrate the ranker on the run date's snapshot",
    sections=("feed", "model", "trainer", "calibration"),
    artifacts_in=("snapshot",),
    artifacts_out=("model",),
)
