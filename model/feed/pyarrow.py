"""Engine over pyarrow.dataset: the second one, and the yardstick of the first."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow.dataset as ds

from model.feed.engines import Floats, order_files


def read_files(paths: Sequence[Path], columns: Sequence[str], seed: int | None) -> Iterator[Floats]:
    """Yield [columns, rows] a file, in the order of `order_files(paths, seed)`."""
    for path in order_files(paths, seed):
        yield read_file(path, columns)


def read_file(path: Path, columns: Sequence[str]) -> Floats:
    """Read one file as [columns, rows]."""
    table = ds.dataset(str(path), format="parquet").to_table(columns=list(columns))
    return np.stack([table.column(name).to_numpy() for name in columns])
