"""Reads a training snapshot: rows read equal the manifest's, equal steps on every shard."""

from model.feed.base import Batch, FeedError, Rows, batches, steps_per_epoch
from model.feed.engines import engine
from model.feed.snapshot import Snapshot, SnapshotError, open_snapshot

__all__ = [
    "Batch",
    "FeedError",
    "Rows",
    "Snapshot",
    "SnapshotError",
    "batches",
    "engine",
    "open_snapshot",
    "steps_per_epoch",
]
