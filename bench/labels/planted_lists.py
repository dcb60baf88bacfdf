"""A planted snapshot with a test split, lists and judged rows: what an experiment reads."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bench.synthetic import Planted, write_snapshot
from model.files import file_sha256

LIST_ROWS = 8
"""Rows of a list."""


def plant_lists(folder: Path, rows: tuple[int, int, int] = (800, 240, 400)) -> Path:
    """Write planted rows of train, validation and test in lists of LIST_ROWS rows; returns
    `folder`."""
    parts = {
        split: write_snapshot(folder / f".{split}", Planted(rows=(n, 10), files=(1, 1), seed=seed))
        for seed, (split, n) in enumerate(zip(("train", "validation", "test"), rows, strict=True))
    }
    content: dict[str, Any] = json.loads((parts["train"] / "manifest.json").read_text())
    content["splits"] = {}
    start = 0
    for split, part in parts.items():
        table = pq.read_table(part / "train")
        codes = start + np.arange(table.num_rows) // LIST_ROWS
        start = int(codes[-1]) + 1
        judged = table.column("mask_relevance").to_numpy()
        for name, values in (("list_code", codes), ("judged", judged)):
            table = table.append_column(name, pa.array(values.astype(np.float32)))
        path = folder / f"{split}.parquet"
        pq.write_table(table, path)
        entry = {"path": path.name, "rows": table.num_rows, "sha256": file_sha256(path)}
        content["splits"][split] = {"rows": table.num_rows, "files": [entry]}
    (folder / "manifest.json").write_text(json.dumps(content))
    return folder
