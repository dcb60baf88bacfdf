"""Writes a training snapshot: plain Parquet that a trainer reads, and the manifest that pins it.

Besides `jobs.platform.warehouse` this is the only writer of data. The snapshot that `train` reads
holds train and validation rows, never test rows; an experiment's has a layout of its own. Each file
is one row group of float32 columns, and the sizes of a split's files differ by one row at most.
`manifest.json` names every file with rows, sha256 and the hash of its values. The version is made
of the values: two JVMs may write equal rows to files that differ in their footers.
"""

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
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
from model.files import file_sha256, new_folder

_BYTES_PER_VALUE = 4
"""All columns are float32."""


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
        _write_parquet(placed, new / "spark", options, layout.columns)
        splits = {split: _collect_files(new, split, totals[split]) for split in layout.splits}
        shutil.rmtree(new / "spark")
        manifest = {**_add_version(header, splits), "splits": splits}
        (new / MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")
    return manifest


def _write_parquet(
    placed: DataFrame, folder: Path, options: SnapshotOptions, columns: Sequence[str]
) -> None:
    """Write one file per (split, file): each in one task, in the order that the writer sorts by."""
    files = placed.repartition("split", "file").sortWithinPartitions("split", "file", "place")
    (
        files.select("split", "file", *columns)
        .write.option("compression", options.compression)
        .option("parquet.block.size", _row_group_bytes(options.rows_per_file, len(columns)))
        .partitionBy("split", "file")
        .parquet(str(folder))
    )


def _row_group_bytes(rows: int, columns: int) -> int:
    """Return twice the plain bytes of a file, so that its rows stay in one row group."""
    return max(128 << 20, 2 * rows * columns * _BYTES_PER_VALUE)


def _collect_files(new: Path, split: str, expected: int) -> dict[str, Any]:
    """Move the files of a split to their names and describe them."""
    (new / split).mkdir()
    folders = sorted((new / "spark" / f"split={split}").glob("file=*"), key=_file_index)
    files = []
    for index, folder in enumerate(folders):
        (part,) = folder.glob("*.parquet")
        target = new / split / f"part-{index:05d}.parquet"
        part.rename(target)
        files.append(_describe_file(target, new))
    rows = sum(entry["rows"] for entry in files)
    if rows != expected:
        raise SnapshotWriteError(f"split {split}: {expected} rows planned, {rows} rows written")
    return {"rows": rows, "files": files}


def _file_index(folder: Path) -> int:
    return int(folder.name.partition("=")[2])


def _describe_file(path: Path, root: Path) -> dict[str, Any]:
    footer = pq.read_metadata(path)
    if footer.num_row_groups != 1:
        raise SnapshotWriteError(
            f"{path.name} has {footer.num_row_groups} row groups instead of one"
        )
    return {
        "path": path.relative_to(root).as_posix(),
        "rows": footer.num_rows,
        "row_groups": footer.num_row_groups,
        "sha256": file_sha256(path),
        "content": _content_hash(path),
    }


def _content_hash(path: Path) -> str:
    """Hash names, types, nulls and values of the columns, row by row in their order (sha256)."""
    digest = hashlib.sha256()
    table = pq.read_table(path, partitioning=None).combine_chunks()
    for name, column in zip(table.column_names, table.columns, strict=True):
        digest.update(f"{name} {column.type} {column.null_count}".encode())
        if column.null_count:
            digest.update(column.is_valid().to_numpy().tobytes())
            column = column.fill_null(0)
        digest.update(column.to_numpy().tobytes())
    return digest.hexdigest()


def _add_version(header: Mapping[str, Any], splits: Mapping[str, Any]) -> dict[str, Any]:
    """Lead the header by a version that changes exactly with the data and what it means."""
    meaning = {key: header[key] for key in ("features", "tasks", "regions")}
    values = {
        split: [(file["path"], file["content"]) for file in described["files"]]
        for split, described in splits.items()
    }
    return {"snapshot_version": section_hash([meaning, values]), **header}
