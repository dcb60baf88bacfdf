"""Batches of tensors from a snapshot: one interface over all engines."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from conf.sections.training import FeedConf
from model.feed.engines import Floats, load_engine
from model.feed.lists import LIST, ListError, cut_list_blocks, require_lists
from model.feed.resident import fits_on_device, read_resident_blocks
from model.feed.rows import Batch, RowSelection, send_rows
from model.feed.snapshot import Snapshot, SnapshotFile

POSITION = "position"
CPU = torch.device("cpu")


class FeedError(RuntimeError):
    """What was read is not what the manifest promises."""


def count_steps(snapshot: Snapshot, rows: RowSelection, batch_size: int) -> int:
    """Count the steps of an epoch: the same on every shard, enough for the largest."""
    shards = [_select_files(snapshot, rows.split, s, rows.shards) for s in range(rows.shards)]
    largest = max(sum(file.rows for file in files) for files in shards)
    return -(-largest // batch_size)


def read_batches(
    snapshot: Snapshot, rows: RowSelection, conf: FeedConf, device: torch.device = CPU
) -> Iterator[Batch]:
    """Read the batches of one epoch: `count_steps` of exactly `batch_size` rows, on the device.

    Rows are mixed within `conf.shuffle_files` files at a time. A short last batch, and a shard
    with fewer rows than another, are filled up with rows of weight 0 (and labels 0). With
    `conf.group_by_list` a batch holds whole lists and is filled up likewise, so there may be a
    few more batches.

    Raises:
        FeedError: the rows read differ from the manifest's.
        ListError: whole lists are asked for and cannot be read.
    """
    layout = _Layout.from_snapshot(snapshot)
    seen = 0
    steps = count_steps(snapshot, rows, conf.batch_size)
    for block in _read_device_blocks(snapshot, layout.columns, rows, conf, device):
        seen += len(block)
        steps -= 1
        yield layout.build_batch(block, conf.batch_size)
    expected = sum(
        file.rows for file in _select_files(snapshot, rows.split, rows.shard, rows.shards)
    )
    if seen != expected:
        raise FeedError(
            f"{rows.split}, shard {rows.shard} of {rows.shards}, epoch {rows.epoch}: "
            f"{seen} rows read, the manifest has {expected}"
        )
    empty = torch.zeros(0, len(layout.columns), device=device)
    for _ in range(steps):
        yield layout.build_batch(empty, conf.batch_size)


def _read_device_blocks(
    snapshot: Snapshot,
    columns: Sequence[str],
    rows: RowSelection,
    conf: FeedConf,
    device: torch.device,
) -> Iterator[Tensor]:
    """Yield blocks of at most `batch_size` packed rows on the device: held there, or sent whole."""
    files = _select_files(snapshot, rows.split, rows.shard, rows.shards)
    if fits_on_device(conf, sum(file.rows for file in files), len(columns), device):
        paths = [snapshot.folder / file.path for file in files]
        yield from read_resident_blocks(paths, columns, rows, conf, device)
        return
    matrices = _read_matrices(snapshot, files, columns, rows, conf)
    blocks = (
        cut_list_blocks(matrices, conf.batch_size, _make_list_mix(snapshot, rows, conf))
        if conf.group_by_list
        else _cut_blocks(matrices, conf.batch_size)
    )
    for block in blocks:
        yield send_rows(torch.from_numpy(block), device)


@dataclass(frozen=True)
class _Layout:
    """Columns of a packed row: features, labels, position, and the list where it is known."""

    features: int
    label_names: tuple[str, ...]
    columns: tuple[str, ...]

    @classmethod
    def from_snapshot(cls, snapshot: Snapshot) -> "_Layout":
        spec = snapshot.spec
        lists = [LIST] if LIST in snapshot.columns else []
        columns = (*spec.names, *spec.label_columns, POSITION, *lists)
        return cls(len(spec.features), tuple(spec.label_columns), columns)

    def build_batch(self, packed: Tensor, size: int) -> Batch:
        """Fill a block of at most `size` rows up with rows of weight 0; the parts are slices of one
        tensor."""
        short = size - len(packed)
        weight = packed.new_ones(size)
        if short:
            weight[len(packed) :] = 0.0
            packed = functional.pad(packed, (0, 0, 0, short))
        labels = self.features + len(self.label_names)
        has_list = self.columns[-1] == LIST
        return Batch(
            packed[:, : self.features],
            packed[:, self.features : labels],
            packed[:, labels],
            weight,
            packed[:, -1] if has_list else packed.new_zeros(size),
            self.label_names,
        )


def _make_list_mix(
    snapshot: Snapshot, rows: RowSelection, conf: FeedConf
) -> np.random.Generator | None:
    """Make the generator that shuffles whole lists; None where the order is fixed."""
    require_lists(snapshot, conf)
    if rows.shards > 1:
        raise ListError("feed.group_by_list needs one process: shards would differ in steps")
    return np.random.default_rng(rows.draw_seed("lists")) if rows.shuffle else None


def _select_files(snapshot: Snapshot, split: str, shard: int, shards: int) -> list[SnapshotFile]:
    return list(snapshot.splits[split][shard::shards])


def _read_matrices(
    snapshot: Snapshot,
    files: Sequence[SnapshotFile],
    columns: Sequence[str],
    rows: RowSelection,
    conf: FeedConf,
) -> Iterator[Floats]:
    """Read row-major matrices [rows, columns] of `shuffle_files` files each, rows mixed."""
    paths = [snapshot.folder / file.path for file in files]
    mix = np.random.default_rng(rows.draw_seed("rows"))
    window: list[Floats] = []
    groups = load_engine(conf.engine)(
        paths, columns, rows.draw_seed("files") if rows.shuffle else None
    )
    for read, group in enumerate(groups, start=1):
        window.append(group)
        if len(window) == conf.shuffle_files or read == len(paths):
            yield _pack_rows(window, mix if rows.shuffle else None)
            window = []
    if window:
        yield _pack_rows(window, mix if rows.shuffle else None)


def _pack_rows(window: Sequence[Floats], mix: np.random.Generator | None) -> Floats:
    packed = np.concatenate([np.ascontiguousarray(group.T) for group in window])
    return packed if mix is None else packed[mix.permutation(len(packed))]


def _cut_blocks(matrices: Iterator[Floats], size: int) -> Iterator[Floats]:
    """Cut matrices into blocks of `size` rows across their borders; the last may be short."""
    rest: Floats | None = None
    for matrix in matrices:
        rows = matrix if rest is None or not len(rest) else np.concatenate([rest, matrix])
        full = len(rows) - len(rows) % size
        for start in range(0, full, size):
            yield rows[start : start + size]
        rest = rows[full:]
    if rest is not None and len(rest):
        yield rest
