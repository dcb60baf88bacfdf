"""Writes a training snapshot: plain Parquet that a trainer reads, and the manifest that pins it.

Besides `jobs.platform.warehouse` this is the only writer of data; `udfs.snapshot_files` writes its
files, into a folder that this module gives. The snapshot that `train` reads
holds train and validation rows, never test rows; an experiment's has a layout of its own. Each file
is one row group of float32 columns, and the sizes of a split's files differ by one row at most.
`manifest.json` names every file with rows, sha256 and the hash of its values, which the tasks that
write them compute. The version is made of the values: two versions of pyarrow may write equal rows
to files that differ in their footers.
"""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame

from conf.errors import UserError
from conf.load import section_hash
from features.examples.snapshot import (
    TRAINING,
    Layout,
    assign_files,
    range_counts,
    range_offsets,
    shuffled_rows,
)
from model.feed.snapshot import MANIFEST
from model.files import new_folder
from udfs.snapshot_files import WRITTEN, make_file_writer

Files = Mapping[tuple[str, int], Mapping[str, Any]]


class SnapshotWriteError(UserError, RuntimeError):
    """The files written are not what the manifest must promise."""


@dataclass(frozen=True)
class SnapshotOptions:
    """How the files are cut.

    Attributes:
        seed: of the shuffle.
        rows_per_file: rows of a file at most (count).
        compression: Parquet codec.
    """

    seed: int
    rows_per_file: int
    compression: str


def write_snapshot(
    examples: DataFrame,
    folder: Path,
    options: SnapshotOptions,
    header: Mapping[str, Any],
    layout: Layout = TRAINING,
) -> dict[str, Any]:
    """Write the snapshot of `examples` to `folder` in place of an older one.

    Args:
        examples: rows of one run of training_examples, all splits; or split, example_id and the
            columns of the layout.
        folder: the snapshot; appears whole or not at all.
        options: seed, file size, codec.
        header: entries of the manifest besides the files: conf_hash, code_version, table_versions,
            features, tasks, regions.
        layout: columns and splits that are written.

    Returns:
        The manifest.

    Raises:
        SnapshotError: no training row, or files that differ from the plan.
    """
    rows = examples.transform(shuffled_rows(options.seed, layout))
    counted = [(r["split"], r["hash_range"], r["n"]) for r in range_counts(rows).collect()]
    totals = {split: sum(n for s, _, n in counted if s == split) for split in layout.splits}
    if not totals["train"]:
        raise SnapshotWriteError("no training example is in split train; check conf `split`")
    offsets = examples.sparkSession.createDataFrame(
        range_offsets(counted), "split string, hash_range long, offset long"
    )
    placed = rows.transform(assign_files(offsets, totals, options.rows_per_file))
    with new_folder(folder) as new:
        files = _write_files(placed, new / "tasks", options, layout)
        splits = {split: _name_files(new, split, totals[split], files) for split in layout.splits}
        shutil.rmtree(new / "tasks")  # what attempts that failed wrote
        manifest = {**_add_version(header, splits), "splits": splits}
        (new / MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")
    return manifest


def _write_files(
    placed: DataFrame, folder: Path, options: SnapshotOptions, layout: Layout
) -> Files:
    """Write one file per (split, file), each in the task that has its rows; returns what stands in
    the manifest by split and file.
    """
    folder.mkdir()
    write = make_file_writer(folder, layout.columns, options.compression)
    rows = placed.select("split", "file", "place", *layout.columns)
    written = rows.groupBy("split", "file").applyInArrow(write, WRITTEN)
    return {(row["split"], row["file"]): row.asDict() for row in written.collect()}


def _name_files(new: Path, split: str, expected: int, files: Files) -> dict[str, Any]:
    """Move the files of a split to their names and describe them."""
    (new / split).mkdir()
    described = []
    for index, key in enumerate(sorted(key for key in files if key[0] == split)):
        file = files[key]
        if file["row_groups"] != 1:
            raise SnapshotWriteError(
                f"{file['path']} has {file['row_groups']} row groups instead of one"
            )
        target = new / split / f"part-{index:05d}.parquet"
        Path(file["path"]).rename(target)
        described.append(
            {
                "path": target.relative_to(new).as_posix(),
                "rows": file["rows"],
                "row_groups": file["row_groups"],
                "sha256": file["sha256"],
                "content": file["content"],
            }
        )
    rows = sum(entry["rows"] for entry in described)
    if rows != expected:
        raise SnapshotWriteError(f"split {split}: {expected} rows planned, {rows} rows written")
    return {"rows": rows, "files": described}


def _add_version(header: Mapping[str, Any], splits: Mapping[str, Any]) -> dict[str, Any]:
    """Lead the header by a version that changes exactly with the data and what it means."""
    meaning = {key: header[key] for key in ("features", "tasks", "regions")}
    values = {
        split: [(file["path"], file["content"]) for file in described["files"]]
        for split, described in splits.items()
    }
    return {"snapshot_version": section_hash([meaning, values]), **header}
