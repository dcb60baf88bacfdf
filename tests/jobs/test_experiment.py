"""The command: tables, folder and plots of an experiment; run twice; errors before any training."""

import json
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import yaml
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from rich.console import Console

from bench.labels.planted_lists import plant_lists
from conf.experiment import load_experiment
from conf.load import SIMULATED, load_conf
from features.contracts import EXPERIMENT_COMPARISONS, EXPERIMENT_RESULTS
from jobs import experiment as job
from jobs.command.cli import run_command
from jobs.platform.report import JobReport
from jobs.platform.runner import open_warehouse
from jobs.platform.warehouse import Warehouse

CONTENT: dict[str, Any] = {
    "name": "tiny",
    "asks": "is everything written?",
    "paper": "nothing [O]",
    "base": {
        "feed.engine": "memory",
        "trainer.epochs": 1,
        "trainer.min_steps": 1,
        "model.hidden": [8],
        "model.tower": [],
        "calibration.method": "none",
        "tracking.mlflow": False,
        "value.sweep": [0.0, 0.5],
    },
    "reference": "plain",
    "arms": {
        "plain": {"ranking": {"relevance": "none"}},
        "joint": {"ranking": {"relevance": "picked"}},
    },
    "seeds": [1, 2],
    "search": {"choose": ["auc.click"]},
    "headline": ["auc.click", "value.relevance_judged@10"],
    "bootstrap": {"replicates": 20},
    "workers": 0,
    "quick": {"seeds": [1]},
}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("experiment")
    plant_lists(folder / "data", (400, 160, 160))
    data = {"planted": {"simulated": True, "folder": str(folder / "data"), "rows": 300}}
    (folder / "tiny.yaml").write_text(yaml.safe_dump(CONTENT | {"data": data}))
    return folder


@pytest.fixture(scope="module")
def run(spark: SparkSession, written: Path) -> Callable[[bool], JobReport]:
    def once(quick: bool) -> JobReport:
        settings = [f"storage.root={written / 'warehouse'}", "tracking.mlflow=false"]
        found = load_experiment(written / "tiny.yaml", quick, settings)
        return job.run(spark, found, Console(file=StringIO()))

    return once


def warehouse_of(spark: SparkSession, written: Path) -> Warehouse:
    settings = [f"storage.root={written / 'warehouse'}"]
    return open_warehouse(spark, load_conf([SIMULATED], settings=settings), "test")[0]


def test_tables_and_folder_are_written_and_a_second_run_writes_the_same(
    spark: SparkSession, written: Path, run: Callable[[bool], JobReport]
) -> None:
    report = run(False)
    warehouse = warehouse_of(spark, written)
    first = {
        table.name: sorted(map(str, warehouse.read(table).collect()))
        for table in (EXPERIMENT_RESULTS, EXPERIMENT_COMPARISONS)
    }
    results = warehouse.read(EXPERIMENT_RESULTS)
    keys = results.select(*EXPERIMENT_RESULTS.key)
    assert keys.distinct().count() == keys.count()
    curve = results.where(F.col("metric").startswith("curve."))
    assert {(r["arm"], r["split"]) for r in curve.collect()} == {
        (arm, split) for arm in ("plain", "joint") for split in ("validation", "test")
    }
    folder = Path(str(report.outputs["experiment"]))
    manifest = json.loads((folder / "manifest.json").read_text())
    joint = manifest["data"]["planted"]["arms"]["joint"]
    assert sorted(joint["trainings"]) == ["1", "2"] and joint["failure"] is None
    names = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    plots = {f"plots/planted-{k}.{e}" for k in ("headline", "curve") for e in ("png", "svg")}
    assert names == plots | {
        "manifest.json",
        "experiment.yaml",
        "report.md",
        "regions.md",
        "comparisons.json",
        "units/planted/plain.parquet",
        "units/planted/joint.parquet",
    }
    again = run(False)
    assert again.counts == report.counts
    assert first == {
        table.name: sorted(map(str, warehouse.read(table).collect()))
        for table in (EXPERIMENT_RESULTS, EXPERIMENT_COMPARISONS)
    }


def test_the_quick_profile_has_rows_of_its_own(
    spark: SparkSession, written: Path, run: Callable[[bool], JobReport]
) -> None:
    run(True)
    seeds = (
        warehouse_of(spark, written)
        .read(EXPERIMENT_COMPARISONS)
        .groupBy("experiment")
        .agg(F.max("seeds"))
    )
    assert {tuple(r) for r in seeds.collect()} == {("tiny", 2), ("tiny-quick", 1)}


def test_an_unknown_part_is_an_error_of_the_user(
    spark: SparkSession, written: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = [f"storage.root={written / 'warehouse'}", "model.region_mask=mask"]
    arguments = [x for s in settings for x in ("--set", s)]
    assert run_command(["experiment", str(written / "tiny.yaml"), *arguments]) == 2
    assert "model.region_mask" in capsys.readouterr().err


@pytest.mark.parametrize("decay", [0.1, 1e38])
def test_the_exit_code_tells_of_an_arm_that_failed(
    spark: SparkSession,
    written: Path,
    decay: float,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(job, "get_session", lambda conf: spark)
    content = CONTENT | {
        "name": "decayed" if decay > 1 else "whole",
        "data": {"planted": {"simulated": True, "folder": str(written / "data"), "rows": 300}},
        "arms": {"plain": {}, "decayed": {"settings": {"trainer.weight_decay": decay}}},
        "seeds": [1],
        "headline": ["auc.click"],
    }
    path = written / "decay.yaml"
    path.write_text(yaml.safe_dump(content))
    failed = decay > 1
    settings = ["--set", f"storage.root={written / 'warehouse'}", "--set", "tracking.mlflow=false"]
    assert run_command(["experiment", str(path), *settings]) == int(failed)
    told = capsys.readouterr().err
    assert ("arm planted/decayed failed: seed 1: TrainingError" in told) == failed
    assert "arm planted/plain failed" not in told
    results = warehouse_of(spark, written).read(EXPERIMENT_RESULTS)
    judged = results.where(F.col("experiment") == content["name"]).select("arm").distinct()
    assert judged.count() == (1 if failed else 2), "the others are judged all the same"
