"""The train job: a model directory from a snapshot, again, after a kill, in a dry run."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

import jobs.train
from bench.synthetic import Planted, write_snapshot
from conf.load import ResolvedConf
from jobs.platform.report import JobReport
from jobs.platform.warehouse import Warehouse
from jobs.train import JOB
from model.feed import TrainingSnapshotError
from model.serving.artifact import load_model
from model.training.tracking import TrackingError

Make = Callable[..., ResolvedConf]
SHORT = (
    "run_date=2026-03-01",
    "trainer.epochs=2",
    "trainer.min_steps=1",
    "trainer.progress=false",
    "model.hidden=[16, 8]",
    "model.tower=[4]",
    "feed.batch_size=128",
)


@pytest.fixture
def conf(spark: SparkSession, make_conf: Make) -> ResolvedConf:
    """A short training with a snapshot in place."""
    resolved = make_conf(*SHORT)
    write_snapshot(
        warehouse(spark, resolved).snapshot_dir(), Planted(rows=(600, 200), files=(2, 1))
    )
    return resolved


def warehouse(spark: SparkSession, conf: ResolvedConf) -> Warehouse:
    return Warehouse(spark, conf, JobReport("train", conf.run_date.isoformat(), conf.hash))


def test_it_writes_a_model_that_loads(spark: SparkSession, conf: ResolvedConf) -> None:
    report = JOB.run(spark, conf)
    folder = warehouse(spark, conf).model_dir()
    loaded = load_model(folder)
    assert report.outputs["model"] == loaded.version
    assert [(c.table, c.rows_in, c.rows_out) for c in report.counts] == [("model", 800, 800)]
    found = report.details["validation"]["p_click"]
    assert found["n"] == 200 and 0.5 < found["auc"] <= 1.0 and found["loss"] > 0
    assert sorted(p.name for p in folder.iterdir()) == [
        "calibrators.json",
        "conf.yaml",
        "manifest.json",
        "metrics.json",
        "metrics.jsonl",
        "model.safetensors",
        "spec.json",
    ]
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["conf_hash"] == conf.hash and len(manifest["snapshot_manifest_sha256"]) == 64
    assert [p.name for p in folder.parent.iterdir()] == ["2026-03-01"]


def test_regions_that_a_region_part_has_not_seen_are_reported(
    spark: SparkSession, make_conf: Make
) -> None:
    resolved = make_conf(*SHORT, "model.region_mask=md", "trainer.epochs=1", "trainer.min_steps=1")
    folder = warehouse(spark, resolved).snapshot_dir()
    write_snapshot(folder, Planted(rows=(600, 200), files=(2, 1)))
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["regions"].append("west")
    manifest["features"][0]["buckets"] += 1
    path.write_text(json.dumps(manifest))
    report = JOB.run(spark, resolved)
    expected = {"unseen": ["west"], "train_rows": 0, "validation_rows": 0}
    assert report.details["neutral_regions"] == expected
    assert "md is neutral for regions without training rows ['west']" in " ".join(report.notes)


def test_twice_gives_the_same_model(spark: SparkSession, conf: ResolvedConf) -> None:
    first, second = JOB.run(spark, conf), JOB.run(spark, conf)
    assert first.outputs["model"] == second.outputs["model"]


def test_killed_before_the_model_is_written_it_goes_on(
    spark: SparkSession, conf: ResolvedConf, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = JOB.run(spark, conf).outputs["model"]
    with monkeypatch.context() as patched:
        patched.setattr(
            jobs.train, "save_model", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt)
        )
        with pytest.raises(KeyboardInterrupt):
            JOB.run(spark, conf)
    folder = warehouse(spark, conf).model_dir()
    assert load_model(folder).version == expected  # the old one is untouched
    assert JOB.run(spark, conf).outputs["model"] == expected
    assert [p.name for p in folder.parent.iterdir()] == ["2026-03-01"]


def test_a_dry_run_writes_nothing(spark: SparkSession, make_conf: Make) -> None:
    dry = make_conf(*SHORT, dry_run=True)
    write_snapshot(warehouse(spark, dry).snapshot_dir(), Planted(rows=(600, 200)))
    report = JOB.run(spark, dry)
    assert "600" in report.notes[0] and report.counts == []
    assert not warehouse(spark, dry).model_dir().parent.exists()


def test_without_a_snapshot_it_names_the_job_to_run(spark: SparkSession, make_conf: Make) -> None:
    with pytest.raises(FileNotFoundError, match="build_training_set"):
        JOB.run(spark, make_conf(*SHORT))


def test_a_changed_snapshot_is_refused(spark: SparkSession, conf: ResolvedConf) -> None:
    path: Path = next(warehouse(spark, conf).snapshot_dir().glob("train/*.parquet"))
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(TrainingSnapshotError, match="differs from the manifest"):
        JOB.run(spark, conf)


def test_a_tracking_store_that_fails_is_a_warning_or_an_error_that_costs_no_training(
    spark: SparkSession, make_conf: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = (*SHORT, "tracking.mlflow=true", "tracking.uri='no-such-scheme://x'")
    resolved = make_conf(*settings)
    write_snapshot(warehouse(spark, resolved).snapshot_dir(), Planted(rows=(600, 200)))
    with pytest.raises(TrackingError, match="not logged"):
        JOB.run(spark, make_conf(*settings, "tracking.required=true"))
    # there is no epoch left to run
    monkeypatch.setattr("model.training.trainer._Training.run_epoch", None)
    (warning,) = JOB.run(spark, resolved).warnings
    assert warning.startswith("MLflow: not logged")


def test_the_job_says_what_it_depends_on() -> None:
    assert JOB.artifacts_in == ("snapshot",) and JOB.artifacts_out == ("model",)
    assert {"feed", "model", "trainer", "calibration"} <= set(JOB.sections)
