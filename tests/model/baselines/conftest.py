"""A planted snapshot whose rows name their page and query."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench.synthetic import Planted, write_snapshot
from model.feed import Snapshot, open_snapshot
from model.files import file_sha256


@pytest.fixture(scope="session")
def paged(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    """Pages of 10 rows and queries of 20, side by side."""
    folder = write_snapshot(
        tmp_path_factory.mktemp("paged"), Planted(rows=(4_000, 1_000), files=(2, 1))
    )
    manifest = json.loads((folder / "manifest.json").read_text())
    row = 0
    for entry in (e for split in manifest["splits"].values() for e in split["files"]):
        path = folder / entry["path"]
        table = pq.read_table(path)
        at = np.arange(row, row + len(table))
        for name, rows in (("page_code", 10), ("list_code", 20)):
            table = table.append_column(name, pa.array((at // rows).astype(np.float32)))
        pq.write_table(table, path)
        entry["sha256"] = file_sha256(path)
        row += len(table)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return open_snapshot(folder)
