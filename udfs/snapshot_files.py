"""Writes the files of a training snapshot in Spark's Python workers, and hashes them there."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq

from model.files import file_sha256

WRITTEN = (
    "split string, file int, path string, rows long, row_groups int, sha256 string, content string"
)
"""Schema of what the manifest tells of a file."""
WriteFile = Callable[[tuple[Any, ...], pa.Table], pa.Table]


def make_file_writer(folder: Path, columns: Sequence[str], compression: str) -> WriteFile:
    """Make what writes the rows of one file as one row group, for `applyInArrow` by split and file.

    It takes the key and rows of `place` and the columns, and returns one row of WRITTEN. A task
    that is tried again writes a file of another name, so that only a whole one is ever named.

    Args:
        folder: of all files; the driver and the workers see the same one.
        columns: of the file, in order; rows are in the order of `place`.
        compression: Parquet codec.
    """

    def write_file(key: tuple[Any, ...], rows: pa.Table) -> pa.Table:
        split, file = (value.as_py() for value in key)
        table = rows.sort_by("place").select(columns).combine_chunks()
        path = folder / f"{split}-{file}-{uuid4().hex}.parquet"
        pq.write_table(table, path, compression=compression, row_group_size=len(table))
        return pa.table(
            {
                "split": [split],
                "file": pa.array([file], pa.int32()),
                "path": [str(path)],
                "rows": [len(table)],
                "row_groups": pa.array([pq.read_metadata(path).num_row_groups], pa.int32()),
                "sha256": [file_sha256(path)],
                "content": [hash_values(table)],
            }
        )

    return write_file


def hash_values(table: pa.Table) -> str:
    """Hash names, types, nulls and values of the columns, row by row in their order (sha256)."""
    digest = hashlib.sha256()
    for name, column in zip(table.column_names, table.combine_chunks().columns, strict=True):
        digest.update(f"{name} {column.type} {column.null_count}".encode())
        if column.null_count:
            digest.update(column.is_valid().to_numpy().tobytes())
            column = column.fill_null(0)
        digest.update(column.to_numpy().tobytes())
    return digest.hexdigest()
