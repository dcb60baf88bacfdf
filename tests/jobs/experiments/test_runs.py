"""Arms x seeds on a planted snapshot: trained once, resumed, failures kept apart."""

from io import StringIO
from pathlib import Path

import pytest
import yaml
from rich.console import Console

from bench.labels.planted_lists import plant_lists
from conf.experiment import Experiment, load_experiment
from jobs.experiments.progress import Clock
from jobs.experiments.report import format_report
from jobs.experiments.results import (
    StudyResults,
    add_pools,
    build_comparison_rows,
    build_result_rows,
    find_figure,
    judge_study,
    pool_results,
)
from jobs.experiments.runs import run_study
from jobs.experiments.study import Arm, Study
from jobs.experiments.workers import Workers
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
        "trainer.min_steps": 1,
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
        "other": {"settings": {"model.backbone": "seq"}, "against": "joint"},
        "oracle": {"oracle": "truth"},
    },
    "seeds": [1, 2],
    "search": {"trials": 2, "grid": {"trainer.learning_rate": [0.01]}, "choose": ["auc.click"]},
    "headline": ["auc.click", "value.relevance_judged@10"],
    "bootstrap": {"replicates": 50},
}


def experiment_of(folder: Path, data: dict[str, object] | None = None) -> Experiment:
    given = data or {"simulated": True, "folder": str(folder / "data")}
    content = CONTENT | {"data": {"planted": given}}
    path = folder / "tiny.yaml"
    path.write_text(yaml.safe_dump(content))
    return load_experiment(path, quick=False, settings=[f"storage.root={folder}"])


def ran(folder: Path) -> tuple[list[Arm], StudyResults, str]:
    experiment = experiment_of(folder)
    study = Study(experiment, "planted", open_snapshot(folder / "data"), folder / "runs")
    text = StringIO()
    clock = Clock(study.planned, 1, Console(file=text, width=200))
    with Workers(0) as workers:
        arms = run_study(study, workers, clock)
    return arms, judge_study(study, arms), text.getvalue()


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Arm], StudyResults, str]:
    folder = tmp_path_factory.mktemp("study")
    plant_lists(folder / "data")
    return folder, *ran(folder)


def test_every_arm_and_seed_is_judged_and_a_failed_arm_reported(
    once: tuple[Path, list[Arm], StudyResults, str],
) -> None:
    _, arms, found, text = once
    by_name = {arm.name: arm for arm in arms}
    assert "not finite" in str(by_name["broken"].failure) and "failed:" in text
    assert sorted(found.figures) == ["joint", "other", "plain"]
    assert all(sorted(by_seed) == [1, 2] for by_seed in found.figures.values())
    assert by_name["plain"].trainings[1].folder == by_name["joint"].trainings[1].folder
    keys = [
        (r["arm"], r["seed"], r["split"], r["metric"], r["region"])
        for r in build_result_rows(found)
    ]
    assert len(set(keys)) == len(keys)
    assert {r["verdict"] for r in build_comparison_rows(found)} >= {"reference"}
    text = format_report([found])
    assert "Failed arms" in text and "Smallest detectable difference" in text
    assert "| other | joint |" in text and " of 2 |" in text
    assert "take a simulated market" in str(by_name["oracle"].failure)
    other = find_figure(found, "other", "auc.click")
    assert other is not None and other.reference == "joint" and other.detectable is not None


def test_draws_are_pooled_beside_each_other(
    once: tuple[Path, list[Arm], StudyResults, str],
) -> None:
    folder, arms, *_ = once
    experiment = experiment_of(folder, {"simulated": True, "draws": [5, 7], "seeds": [1, 2]})
    snapshot = open_snapshot(folder / "data")
    found = [
        judge_study(Study(experiment, name, snapshot, folder / "runs"), arms)
        for name in experiment.conf.used
    ]
    (pooled,) = pool_results(found)
    assert [one.name for one in add_pools(found)] == ["planted", "planted@5", "planted@7"]
    rows = {(r["arm"], r["metric"], r["region"]): r for r in build_comparison_rows(pooled)}
    row = rows["joint", "value.relevance_judged@10", "all"]
    one = find_figure(found[0], "joint", "value.relevance_judged@10")
    assert one is not None and one.difference is not None
    assert (row["data"], row["seeds"], row["reference"]) == ("planted", 4, "plain")
    assert row["difference"] == row["difference_low"] == pytest.approx(one.difference.value)
    text = format_report(found)
    assert "mean over 2 draws" in text and "Student" in text and " of 4 |" in text


def test_a_second_run_trains_nothing_and_finds_the_same(
    once: tuple[Path, list[Arm], StudyResults, str],
) -> None:
    folder, _, found, _ = once
    before = {p: p.stat().st_mtime_ns for p in folder.glob("runs/*/*.safetensors")}
    test_before = {p: p.stat().st_mtime_ns for p in folder.glob("runs/*/predictions-test.parquet")}
    _, again, _ = ran(folder)
    done = {p for p in before if (p.parent / "predictions-validation.parquet").exists()}
    assert len(done) >= 6
    assert all(p.stat().st_mtime_ns == before[p] for p in done)
    assert all(p.stat().st_mtime_ns == t for p, t in test_before.items())
    assert list(build_comparison_rows(again)) == list(build_comparison_rows(found))
