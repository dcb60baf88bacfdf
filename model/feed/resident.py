"""The rows of a split as one tensor on the device that trains: read once, mixed by index."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from conf.sections.training import FeedConf
from model.feed.engines import order_files
from model.feed.pyarrow import read_file
from model.feed.rows import RowSelection

_HELD = 64
"""Splits (or shards of one) held at most: those of twenty data sets of an experiment."""
_FLOAT_BYTES = 4
"""Bytes of a float32."""

Key = tuple[str, int, int]
"""Path, time of change (ns) and size (bytes) of a file."""


def fits_on_device(conf: FeedConf, rows: int, columns: int, device: torch.device) -> bool:
    """Tell whether engine memory holds so many rows on the device; in main memory it always
    does."""
    if conf.engine != "memory" or conf.group_by_list:
        return False
    return device.type == "cpu" or rows * columns * _FLOAT_BYTES <= conf.device_bytes


def read_resident_blocks(
    paths: Sequence[Path],
    columns: Sequence[str],
    rows: RowSelection,
    conf: FeedConf,
    device: torch.device,
) -> Iterator[Tensor]:
    """Yield blocks [batch_size, columns] on the device, the last may be short; the order is the
    same function of (seed, epoch) as that of the engines that read files."""
    if not paths:
        return
    keys = tuple((str(p), p.stat().st_mtime_ns, p.stat().st_size) for p in sorted(paths, key=str))
    held, files = _load_rows(keys, tuple(columns), device)
    order = torch.from_numpy(_order_rows(paths, files, rows, conf.shuffle_files)).to(device)
    for index in torch.split(order, conf.batch_size):
        yield held.index_select(0, index)


def _order_rows(
    paths: Sequence[Path], files: dict[str, tuple[int, int]], rows: RowSelection, together: int
) -> npt.NDArray[np.int64]:
    """Order the rows of the held tensor for the epoch: `together` files are mixed at a time."""
    mix = np.random.default_rng(rows.draw_seed("rows"))
    ordered = order_files(paths, rows.draw_seed("files") if rows.shuffle else None)
    parts: list[npt.NDArray[np.int64]] = []
    for start in range(0, len(ordered), together):
        window = ordered[start : start + together]
        index = np.concatenate([np.arange(*files[str(path)]) for path in window])
        parts.append(index[mix.permutation(len(index))] if rows.shuffle else index)
    return np.concatenate(parts)


@lru_cache(maxsize=_HELD)
def _load_rows(
    keys: tuple[Key, ...], columns: tuple[str, ...], device: torch.device
) -> tuple[Tensor, dict[str, tuple[int, int]]]:
    """Load the rows of all files [rows, columns], and each file's first row and end.

    Read again where a file's size or time of change differs.
    """
    parts = [np.ascontiguousarray(read_file(Path(path), columns).T) for path, _, _ in keys]
    ends = np.cumsum([len(part) for part in parts]).tolist()
    starts = [0, *ends[:-1]]
    files = {key[0]: span for key, span in zip(keys, zip(starts, ends, strict=True), strict=True)}
    return torch.from_numpy(np.concatenate(parts)).to(device), files
