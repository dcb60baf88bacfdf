"""build_training_set end to end on the tiny run: rows, snapshot, run twice, dry run."""

import datetime as dt
import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from pyspark.sql import functions as F

from conf.sections.features import LOOK_BACK_DAYS
from features.contracts import TRAINING_EXAMPLES
from features.declarations import declare_features
from features.examples.snapshot import SPLITS, TRAINING, range_offsets
from features.spec import spec_json
from jobs import build_training_set
from jobs.platform.report import JobReport
from jobs.platform.snapshot import SnapshotOptions, SnapshotWriteError, write_snapshot

RUN = dt.date(2026, 3, 1)
SMALL = "training_set.rows_per_file=30"
HEADER: dict[str, Any] = {"features": [], "tasks": [], "regions": []}


@pytest.fixture(scope="module")
def first(tiny_run: Any) -> JobReport:
    return build_training_set.JOB.run(tiny_run.spark, tiny_run.conf(SMALL))


def manifest_of(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "manifest.json").read_text())
    return content


def test_a_row_an_impression_and_a_row_a_labelled_pair_never_shown(
    tiny_run: Any, first: JobReport
) -> None:
    # 10 queries x 3 days x 4 items, and 10 x i4, split 8 : 1 : 1
    by_split = {
        r.split: r["count"]
        for r in tiny_run.warehouse().read_run(TRAINING_EXAMPLES).groupBy("split").count().collect()
    }
    assert by_split == {"train": 104, "validation": 13, "test": 13}
    assert [c.rows_out for c in first.counts] == [130, 117]
    assert set(first.details["rows_without_features"].values()) == {0}
    assert first.notes == []
    assert "120 of 120 examples look back 28 days to before the log" in first.warnings[0]


def test_the_snapshot_is_what_its_manifest_says(tiny_run: Any, first: JobReport) -> None:
    folder = tiny_run.warehouse().snapshot_dir()
    manifest = manifest_of(folder)
    conf = tiny_run.conf(SMALL)
    assert manifest["features"] == json.loads(json.dumps(spec_json(declare_features(conf.tree))))
    assert manifest["conf_hash"] == conf.hash
    assert manifest["table_versions"]["training_examples"] == first.outputs["training_examples"]
    listed = [file for split in SPLITS for file in manifest["splits"][split]["files"]]
    kept = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert kept == {"manifest.json", *(file["path"] for file in listed)}
    for file in listed:
        path = folder / file["path"]
        assert hashlib.sha256(path.read_bytes()).hexdigest() == file["sha256"]
        footer = pq.read_metadata(path)
        assert (footer.num_rows, footer.num_row_groups) == (file["rows"], 1)
        schema = pq.read_schema(path)
        assert schema.names == list(TRAINING.columns)
        assert {str(field.type) for field in schema} == {"float"}
    assert [f["rows"] for f in manifest["splits"]["train"]["files"]] == [26, 26, 26, 26]
    assert [f["rows"] for f in manifest["splits"]["validation"]["files"]] == [13]


def test_a_second_run_changes_nothing(tiny_run: Any, first: JobReport) -> None:
    again = build_training_set.JOB.run(tiny_run.spark, tiny_run.conf(SMALL))
    assert again.outputs["snapshot"] == first.outputs["snapshot"]
    assert [c.rows_out for c in again.counts] == [130, 117]
    assert not list(tiny_run.warehouse().snapshot_dir().parent.glob(".*"))


def test_shuffle_depends_on_the_seed_and_not_on_partitions(
    tiny_run: Any, first: JobReport, tmp_path: Path
) -> None:
    examples = tiny_run.warehouse().read_run(TRAINING_EXAMPLES)

    def version(seed: int, partitions: int, codec: str = "snappy") -> str:
        """Of equal rows: other files, in bytes, have the same version."""
        made = write_snapshot(
            examples.repartition(partitions, F.rand(seed)),
            tmp_path / f"{seed}_{partitions}",
            SnapshotOptions(seed, 50, codec),
            HEADER,
        )
        rows = [f["rows"] for f in made["splits"]["train"]["files"]]
        assert sorted(rows) == [34, 35, 35]
        return str(made["snapshot_version"])

    assert version(1, 1) == version(1, 5) == version(1, 2, "zstd")
    assert version(2, 1) != version(1, 1)


def test_no_training_row_is_an_error_and_leaves_the_old_snapshot(
    tiny_run: Any, first: JobReport
) -> None:
    folder = tiny_run.warehouse().snapshot_dir()
    before = manifest_of(folder)
    empty = tiny_run.warehouse().read_run(TRAINING_EXAMPLES).where("split = 'test'")
    with pytest.raises(SnapshotWriteError, match="no training example"):
        write_snapshot(empty, folder, SnapshotOptions(1, 10, "snappy"), HEADER)
    assert manifest_of(folder) == before


def test_examples_of_days_that_the_log_does_not_cover_are_left_out_and_counted(
    tiny_run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A log that began so that of the three days the first is not covered."""
    shutil.copytree(tiny_run.root, tmp_path / "warehouse")
    own = replace(tiny_run, root=str(tmp_path / "warehouse"))
    began = RUN - dt.timedelta(days=LOOK_BACK_DAYS + 2)
    monkeypatch.setattr(build_training_set, "first_day_of_log", lambda days: began)
    report = build_training_set.JOB.run(own.spark, own.conf(SMALL))
    assert report.details["look_back"] == {
        "log_starts": began,
        "examples": 120,
        "short": 40,
        "left_out": True,
    }
    (note,) = (note for note in report.notes if "look back" in note)
    assert note.startswith("40 of 120 examples") and "are left out" in note
    shown = own.warehouse().read_run(TRAINING_EXAMPLES).where("search_id IS NOT NULL")
    by_day = {r["as_of_date"]: r["count"] for r in shown.groupBy("as_of_date").count().collect()}
    assert by_day == {RUN - dt.timedelta(days=n): 40 for n in (1, 2)}
    assert [count.rows_out for count in report.counts] == [90, 81]


def test_dry_run_writes_nothing(tiny_run: Any, first: JobReport) -> None:
    version = tiny_run.warehouse().read_version(TRAINING_EXAMPLES)
    touched = (tiny_run.warehouse().snapshot_dir() / "manifest.json").stat().st_mtime_ns
    report = build_training_set.JOB.run(tiny_run.spark, tiny_run.conf(SMALL, dry_run=True))
    assert [c.rows_out for c in report.counts] == [130]
    assert tiny_run.warehouse().read_version(TRAINING_EXAMPLES) == version
    assert (tiny_run.warehouse().snapshot_dir() / "manifest.json").stat().st_mtime_ns == touched


def test_offsets_run_through_the_ranges_of_each_split() -> None:
    counts = [("train", 1, 5), ("validation", -2, 7), ("train", -3, 2), ("train", 0, 1)]
    assert range_offsets(counts) == [
        ("train", -3, 0),
        ("train", 0, 2),
        ("train", 1, 3),
        ("validation", -2, 0),
    ]
