"""The manifest of a training snapshot and the check of its files."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from conf.errors import UserError
from model.files import file_sha256
from model.spec import InputSpec, SpecError

MANIFEST = "manifest.json"
_UNPICKLED_BY_READERS = ("_common_metadata", "_metadata")
_MEND = "`counterpoise nightly` of its run date, or build_training_set, makes it again"


class TrainingSnapshotError(UserError, ValueError):
    """A snapshot must not be trained on; the message names the file and the reason."""


@dataclass(frozen=True)
class SnapshotFile:
    """One Parquet file: its path below the snapshot's folder, its rows and its sha256."""

    path: str
    rows: int
    sha256: str


@dataclass(frozen=True)
class Snapshot:
    """A snapshot as its manifest describes it.

    Attributes:
        folder: absolute folder.
        version: snapshot_version of the manifest.
        manifest_sha256: digest of the manifest itself, which names every file's digest.
        spec: features, tasks and regions.
        splits: files by split name, sorted by path.
    """

    folder: Path
    version: str
    manifest_sha256: str
    spec: InputSpec
    splits: Mapping[str, tuple[SnapshotFile, ...]]

    def count_rows(self, split: str) -> int:
        """Count the rows of a split (count)."""
        return sum(file.rows for file in self.splits[split])

    @cached_property
    def columns(self) -> frozenset[str]:
        """Columns of the files, as the first train file has them."""
        return frozenset(pq.read_schema(self.folder / self.splits["train"][0].path).names)

    def verify(self) -> None:
        """Compare every file with its sha256.

        Raises:
            SnapshotError: a file is missing or changed, or the folder holds a metadata file
                that a Parquet reader would unpickle.
        """
        for name in _UNPICKLED_BY_READERS:
            pickled = next(self.folder.rglob(name), None)
            if pickled is not None:
                raise TrainingSnapshotError(
                    f"{pickled} must not be in a snapshot: readers unpickle it"
                )
        for file in (file for files in self.splits.values() for file in files):
            path = self.folder / file.path
            if not path.is_file():
                raise TrainingSnapshotError(f"snapshot file {path} is missing; {_MEND}")
            if file_sha256(path) != file.sha256:
                raise TrainingSnapshotError(
                    f"snapshot file {path} differs from the manifest's sha256; {_MEND}"
                )


def open_snapshot(folder: Path) -> Snapshot:
    """Read the manifest of `folder`; the files themselves are checked by `Snapshot.verify`.

    Raises:
        FileNotFoundError: there is no manifest.
        SnapshotError: it lacks a key, names a file outside the folder, or a split is empty.
    """
    path = folder.absolute() / MANIFEST
    if not path.is_file():
        raise FileNotFoundError(f"no training snapshot at {folder}: run build_training_set first")
    raw = path.read_bytes()
    try:
        content: dict[str, Any] = json.loads(raw)
        spec = InputSpec.from_json(content)
        splits = {
            name: _read_files(path.parent, entry) for name, entry in content["splits"].items()
        }
        version = str(content["snapshot_version"])
    except (KeyError, TypeError, json.JSONDecodeError, UnicodeDecodeError, SpecError) as error:
        raise TrainingSnapshotError(
            f"manifest {path} cannot be used ({error!r}); {_MEND}"
        ) from error
    for split in ("train", "validation"):
        if not splits.get(split):
            raise TrainingSnapshotError(f"manifest {path} has no rows in split {split}")
    return Snapshot(path.parent, version, hashlib.sha256(raw).hexdigest(), spec, splits)


def _read_files(folder: Path, split: Mapping[str, Any]) -> tuple[SnapshotFile, ...]:
    """Read the files of one split; empty ones are dropped, since no reader returns a batch of
    them."""
    files = [
        SnapshotFile(str(entry["path"]), int(entry["rows"]), str(entry["sha256"]))
        for entry in split["files"]
    ]
    for file in files:
        if not (folder / file.path).resolve().is_relative_to(folder.resolve()):
            raise TrainingSnapshotError(f"{file.path} lies outside the snapshot's folder")
    listed = sum(file.rows for file in files)
    if listed != int(split["rows"]):
        raise TrainingSnapshotError(f"its files have {listed} rows, the split says {split['rows']}")
    return tuple(sorted((f for f in files if f.rows), key=lambda file: file.path))
