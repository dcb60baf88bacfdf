"""Engine that reads a file once and keeps it: for many trainings on one snapshot that fits."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from model.feed.engines import Floats, order_files
from model.feed.pyarrow import read_file

_FILES = 4_096
"""Files that are kept at most (count)."""


def read_files(paths: Sequence[Path], columns: Sequence[str], seed: int | None) -> Iterator[Floats]:
    """Yield [columns, rows] a file, in the order of `order_files(paths, seed)`; not to be changed.

    A file is kept for the life of the process and read again when its size or time of change
    differs.
    """
    for path in order_files(paths, seed):
        state = path.stat()
        yield _read_cached(path, tuple(columns), state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=_FILES)
def _read_cached(path: Path, columns: tuple[str, ...], changed_ns: int, size: int) -> Floats:
    """Read [columns, rows] in the layout from which the feed packs rows without another copy."""
    rows = np.ascontiguousarray(read_file(path, columns).T)
    rows.flags.writeable = False
    return rows.T
