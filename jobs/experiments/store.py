"""What an experiment leaves in its folder: manifest, figures by unit, table, plots."""

import json
import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from conf.experiment import Experiment
from jobs.command.version import code_version
from jobs.experiments.report import format_regions, format_report
from jobs.experiments.results import StudyResults, add_pools, build_comparison_rows
from jobs.experiments.study import Arm
from model.experiments.figures import Figure
from model.experiments.training import hash_training_source
from model.files import write_text

REPORT = "report.md"
_PACKAGES = ("torch", "numpy", "scipy", "pyarrow", "pyspark")


def write_folder(folder: Path, results: Sequence[StudyResults]) -> None:
    """Write manifest, conf, table, comparisons and the sums by unit behind them."""
    experiment = results[0].study.experiment
    body = yaml.safe_dump(experiment.conf.model_dump(mode="json"), sort_keys=False)
    write_text(folder / "experiment.yaml", body)
    write_text(
        folder / "manifest.json", json.dumps(_build_manifest(experiment, results), indent=1) + "\n"
    )
    write_text(folder / REPORT, format_report(results))
    write_text(folder / "regions.md", format_regions(results))
    rows = [row for one in add_pools(results) for row in build_comparison_rows(one)]
    write_text(folder / "comparisons.json", json.dumps(rows, indent=0) + "\n")
    for one in results:
        _write_units(folder / "units" / one.study.name, one)


def _build_manifest(experiment: Experiment, results: Sequence[StudyResults]) -> dict[str, Any]:
    """Collect all that is needed to run it again and to see whether it is the same."""
    return {
        "experiment": experiment.conf.name,
        "settings": list(experiment.settings),
        "code_version": code_version(),
        "source": hash_training_source(),
        "python": platform.python_version(),
        "packages": {name: version(name) for name in _PACKAGES},
        "data": {one.study.name: _describe_data(one) for one in results},
    }


def _describe_data(results: StudyResults) -> dict[str, Any]:
    study = results.study
    return {
        "snapshot": str(study.snapshot.folder),
        "snapshot_version": study.snapshot.version,
        "snapshot_manifest_sha256": study.snapshot.manifest_sha256,
        "conf_hash": study.experiment.data_conf(study.data).hash,
        "seeds": list(study.seeds),
        "target_parameters": study.target,
        "trials": study.trials,
        "arms": {arm.name: _describe_arm(results, arm) for arm in results.arms},
    }


def _describe_arm(results: StudyResults, arm: Arm) -> dict[str, Any]:
    trainings = {
        str(seed): {
            "training": training.folder.name,
            "conf_hash": results.study.resolve_conf(arm.name, arm.chosen, seed).hash,
            "model": training.task.model.model_dump(mode="json"),
            **{k: v for k, v in training.state.items() if k != "label"},
        }
        for seed, training in arm.trainings.items()
    }
    scores = {str(t): s if np.isfinite(s) else None for t, s in arm.scores.items()}
    return {
        "failure": arm.failure,
        "trial": arm.trial,
        "chosen": arm.chosen,
        "validation_scores": scores,
        "trainings": trainings,
    }


def _write_units(folder: Path, results: StudyResults) -> None:
    """Write one Parquet file per arm: sums by unit of every mean, so that any bootstrap can be
    redone.

    What is no mean (AUC, calibration) comes again from the trainings' saved predictions.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for arm, by_seed in results.figures.items():
        parts = [_tabulate_units(f, seed) for seed, figures in by_seed.items() for f in figures]
        tables = [part for part in parts if part is not None]
        if tables:
            pq.write_table(pa.concat_tables(tables), folder / f"{arm}.parquet", compression="zstd")


def _tabulate_units(figure: Figure, seed: int) -> pa.Table | None:
    if figure.kind != "mean":
        return None
    sums = figure.sums.toarray()
    units = np.flatnonzero(sums[:, 1] > 0)
    return pa.table(
        {
            "metric": pa.array([figure.metric] * len(units), pa.string()).dictionary_encode(),
            "region": pa.array([figure.region] * len(units), pa.string()).dictionary_encode(),
            "seed": np.full(len(units), seed),
            "unit": units,
            "total": sums[units, 0],
            "weight": sums[units, 1],
        }
    )
