"""Reads a training snapshot: rows read equal the manifest's, equal steps on every shard."""

from model.feed.base import FeedError, batches, steps_per_epoch
from model.feed.engines import engine
from model.feed.lists import LIST, ListError, require_lists
from model.feed.rows import Batch, Rows
from model.feed.snapshot import Snapshot, SnapshotError, open_snapshot

__all__ = [
    "LIST",
    "Batch",
    "FeedError",
    "ListError",
    "Rows",
    "Snapshot",
    "SnapshotError",
    "batches",
    "engine",
    "open_snapshot",
    "require_lists",
    "steps_per_epoch",
]
