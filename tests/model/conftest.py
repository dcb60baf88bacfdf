"""A small snapshot with planted effects, and short conf for a training on it."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench.synthetic import Planted, write_snapshot
from model.feed import Snapshot, open_snapshot
from model.files import file_sha256
from model.standardise import Standardisation, measure_inputs


@pytest.fixture(scope="session")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    """3 train files of 333, 333, 334 rows and 2 validation files of 150; never written to."""
    folder = tmp_path_factory.mktemp("snapshot")
    return open_snapshot(write_snapshot(folder, Planted(rows=(1_000, 300), files=(3, 2))))


@pytest.fixture(scope="session")
def scale(snapshot: Snapshot) -> Standardisation:
    """Statistics of its train split."""
    return measure_inputs(snapshot)


@pytest.fixture
def own_snapshot(tmp_path: Path) -> Path:
    """Folder of a snapshot that a test may damage: 3 train files, 30 rows."""
    return write_snapshot(tmp_path / "snapshot", Planted(rows=(30, 10), files=(3, 1)))


@pytest.fixture(scope="session")
def listed(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    """The snapshot with list_code: lists of 20 rows side by side, some over two files."""
    folder = tmp_path_factory.mktemp("listed")
    write_snapshot(folder, Planted(rows=(1_000, 300), files=(3, 2)))
    manifest = json.loads((folder / "manifest.json").read_text())
    row = 0
    for entry in (e for split in manifest["splits"].values() for e in split["files"]):
        path = folder / entry["path"]
        table = pq.read_table(path)
        codes = (np.arange(row, row + len(table)) // 20).astype(np.float32)
        pq.write_table(table.append_column("list_code", pa.array(codes)), path)
        entry["sha256"] = file_sha256(path)
        row += len(table)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return open_snapshot(folder)
