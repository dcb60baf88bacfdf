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
from jobs.experiments.report import regions_text, report_text
from jobs.experiments.results import Found, comparison_rows, with_pools
from jobs.experiments.study import Arm
from model.experiments.figures import Figure
from model.experiments.training import training_source
from model.files import write_text

REPORT = "report.md"
_PACKAGES = ("torch", "numpy", "scipy", "pyarrow", "pyspark")


def write_folder(folder: Path, found: Sequence[Found]) -> None:
    """Manifest, conf, table, comparisons and the sums by unit behind them."""
    experiment = found[0].study.experiment
    body = yaml.safe_dump(experiment.conf.model_dump(mode="json"), sort_keys=False)
    write_text(folder / "experiment.yaml", body)
    write_text(folder / "manifest.json", json.dumps(_manifest(experiment, found), indent=1) + "\n")
    write_text(folder / REPORT, report_text(found))
    write_text(folder / "regions.md", regions_text(found))
    rows = [row for one in with_pools(found) for row in comparison_rows(one)]
    write_text(folder / "comparisons.json", json.dumps(rows, indent=0) + "\n")
    for one in found:
        _write_units(folder / "units" / one.study.name, one)


def _manifest(experiment: Experiment, found: Sequence[Found]) -> dict[str, Any]:
    """All that is needed to run it again and to see whether it is the same."""
    return {
        "experiment": experiment.conf.name,
        "settings": list(experiment.settings),
        "code_version": code_version(),
        "source": training_source(),
        "python": platform.python_version(),
        "packages": {name: version(name) for name in _PACKAGES},
        "data": {one.study.name: _data(one) for one in found},
    }


def _data(found: Found) -> dict[str, Any]:
    study = found.study
    return {
        "snapshot": str(study.snapshot.folder),
        "snapshot_version": study.snapshot.version,
        "snapshot_manifest_sha256": study.snapshot.manifest_sha256,
        "conf_hash": study.experiment.data_conf(study.data).hash,
        "seeds": list(study.seeds),
        "target_parameters": study.target,
        "trials": study.trials,
        "arms": {arm.name: _arm(found, arm) for arm in found.arms},
    }


def _arm(found: Found, arm: Arm) -> dict[str, Any]:
    trainings = {
        str(seed): {
            "training": training.folder.name,
            "conf_hash": found.study.conf(arm.name, arm.chosen, seed).hash,
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


def _write_units(folder: Path, found: Found) -> None:
    """One Parquet file an arm: sums by unit of every mean, so that any bootstrap can be redone.

    What is no mean (AUC, calibration) comes again from the trainings' saved predictions.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for arm, by_seed in found.figures.items():
        parts = [_units(f, seed) for seed, figures in by_seed.items() for f in figures]
        told = [part for part in parts if part is not None]
        if told:
            pq.write_table(pa.concat_tables(told), folder / f"{arm}.parquet", compression="zstd")


def _units(figure: Figure, seed: int) -> pa.Table | None:
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
