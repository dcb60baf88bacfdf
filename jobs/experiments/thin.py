"""A smaller snapshot of whole units, for a quick profile."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from conf.load import section_hash
from model.experiments.predictions import LIST, UNIT
from model.feed import Snapshot
from model.feed.snapshot import MANIFEST
from model.files import file_sha256, new_folder


def thin_snapshot(snapshot: Snapshot, rows: int, root: Path) -> Path:
    """Write a snapshot with about `rows` rows of train, other splits cut by the same share; returns
    its folder.

    Units (queries or sessions) stay whole and are taken by a hash of their code; a snapshot that
    is small enough is given back as it is. Made where it is not there yet.
    """
    share = rows / snapshot.count_rows("train")
    if share >= 1:
        return snapshot.folder
    key = section_hash(["thin", snapshot.manifest_sha256, rows])
    folder = root / key
    if not (folder / MANIFEST).is_file():
        with new_folder(folder) as new:
            _write_snapshot(snapshot, share, new, key)
    return folder


def _write_snapshot(snapshot: Snapshot, share: float, folder: Path, key: str) -> None:
    content = json.loads((snapshot.folder / MANIFEST).read_text(encoding="utf-8"))
    content["splits"] = {
        split: _write_split(snapshot, split, share, folder) for split in snapshot.splits
    }
    content["snapshot_version"] = key
    content["thinned_from"] = snapshot.version
    (folder / MANIFEST).write_text(json.dumps(content, indent=1), encoding="utf-8")


def _write_split(snapshot: Snapshot, split: str, share: float, folder: Path) -> dict[str, Any]:
    files = [snapshot.folder / file.path for file in snapshot.splits[split]]
    table = pa.concat_tables([pq.read_table(file) for file in files])
    unit = table.column(UNIT if UNIT in table.column_names else LIST).to_numpy().astype(np.int64)
    chosen = table.filter(pa.array(_hash_codes(unit) < share))
    path = folder / f"{split}.parquet"
    pq.write_table(chosen, path, row_group_size=max(chosen.num_rows, 1), compression="snappy")
    entry = {
        "path": path.name,
        "rows": chosen.num_rows,
        "row_groups": 1,
        "sha256": file_sha256(path),
    }
    return {"rows": chosen.num_rows, "files": [entry]}


def _hash_codes(code: NDArray[np.int64]) -> NDArray[np.float64]:
    """Map each code [N] to a number in [0, 1) that depends on the code alone (splitmix64's
    finalizer)."""
    x = (code.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray((x ^ (x >> np.uint64(31))) / 2.0**64, np.float64)
