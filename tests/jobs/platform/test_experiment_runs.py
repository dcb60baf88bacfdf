"""Arms x seeds on a planted snapshot: trained once, resumed, failures kept apart."""

from io import StringIO
from pathlib import Path

import pytest
import yaml
from rich.console import Console

from bench.planted_lists import plant
from conf.experiment import Experiment, load_experiment
from jobs.platform.experiment_progress import Clock
from jobs.platform.experiment_report import report_text
from jobs.platform.experiment_results import Found, comparison_rows, find, result_rows
from jobs.platform.experiment_runs import run_study
from jobs.platform.experiment_study import Arm, Study
from jobs.platform.experiment_workers import Workers
from model.feed import open_snapshot

CONTENT = {
    "name": "tiny",
    "asks": "does the runner run?",
    "paper": "nothing [O]",
    "data": {"planted": {"simulated": True}},
    "base": {
        "feed.engine": "memory",
        "feed.batch_size": 128,
        "trainer.epochs": 2,
        "model.hidden": [16],
        "model.tower": [8],
        "calibration.method": "platt",
        "calibration.min_positives": 5,
        "calibration.by_region": False,
    },
    "reference": "plain",
    "arms": {
        "plain": {"ranking": {"relevance": "none"}},
        "joint": {"ranking": {"relevance": "picked"}},
        "broken": {"settings": {"model.clip": 1e-30, "trainer.weight_decay": 1e38}},
        "other": {"settings": {"model.backbone": "seq"}},
    },
    "seeds": [1, 2],
    "search": {"trials": 2, "grid": {"trainer.learning_rate": [0.01]}, "choose": ["auc.click"]},
    "headline": ["auc.click", "value.relevance_judged@10"],
    "bootstrap": {"replicates": 50},
}


def experiment_of(folder: Path) -> Experiment:
    content = CONTENT | {"data": {"planted": {"simulated": True, "folder": str(folder / "data")}}}
    path = folder / "tiny.yaml"
    path.write_text(yaml.safe_dump(content))
    return load_experiment(path, quick=False, settings=[f"storage.root={folder}"])


def ran(folder: Path) -> tuple[list[Arm], Found, str]:
    experiment = experiment_of(folder)
    study = Study(experiment, "planted", open_snapshot(folder / "data"), folder / "runs")
    text = StringIO()
    clock = Clock(study.planned, 1, Console(file=text, width=200))
    with Workers(0) as workers:
        arms = run_study(study, workers, clock)
    return arms, find(study, arms), text.getvalue()


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Arm], Found, str]:
    folder = tmp_path_factory.mktemp("study")
    plant(folder / "data")
    return folder, *ran(folder)


def test_every_arm_and_seed_is_judged_and_a_failed_arm_reported(
    once: tuple[Path, list[Arm], Found, str],
) -> None:
    _, arms, found, text = once
    by_name = {arm.name: arm for arm in arms}
    assert "not finite" in str(by_name["broken"].failure) and "failed:" in text
    assert sorted(found.figures) == ["joint", "other", "plain"]
    assert all(sorted(by_seed) == [1, 2] for by_seed in found.figures.values())
    assert by_name["plain"].trainings[1].folder == by_name["joint"].trainings[1].folder
    keys = [(r["arm"], r["seed"], r["split"], r["metric"], r["region"]) for r in result_rows(found)]
    assert len(set(keys)) == len(keys)
    assert {r["verdict"] for r in comparison_rows(found)} >= {"reference"}
    assert "Failed arms" in report_text([found])


def test_a_second_run_trains_nothing_and_finds_the_same(
    once: tuple[Path, list[Arm], Found, str],
) -> None:
    folder, _, found, _ = once
    before = {p: p.stat().st_mtime_ns for p in folder.glob("runs/*/*.safetensors")}
    test_before = {p: p.stat().st_mtime_ns for p in folder.glob("runs/*/predictions-test.parquet")}
    _, again, _ = ran(folder)
    done = {p for p in before if (p.parent / "predictions-validation.parquet").exists()}
    assert len(done) >= 6
    assert all(p.stat().st_mtime_ns == before[p] for p in done)
    assert all(p.stat().st_mtime_ns == t for p, t in test_before.items())
    assert list(comparison_rows(again)) == list(comparison_rows(found))
