"""Reads a training snapshot: rows read equal the manifest's, equal steps on every shard."""

from model.feed.base import FeedError, count_steps, read_batches
from model.feed.engines import load_engine
from model.feed.lists import LIST, ListError, require_lists
from model.feed.rows import Batch, RowSelection
from model.feed.snapshot import Snapshot, TrainingSnapshotError, open_snapshot

__all__ = [
    "LIST",
    "Batch",
    "FeedError",
    "ListError",
    "RowSelection",
    "Snapshot",
    "TrainingSnapshotError",
    "count_steps",
    "load_engine",
    "open_snapshot",
    "read_batches",
    "require_lists",
]
