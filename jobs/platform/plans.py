"""Frames that are read more than once: kept, or cut off from a plan that would grow.

Inside a job (`released_after`) nothing of them outlives it, also where it fails.
"""

import gc
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from pyspark import StorageLevel
from pyspark.sql import DataFrame


class _Kept(ExitStack):
    """What a job has kept, and whether it has cut a frame."""

    has_cut = False


_JOBS: list[_Kept] = []
"""What each job under way has kept, the innermost last."""


@contextmanager
def released_after() -> Iterator[None]:
    """Release, at the end of the block, every frame that is kept or cut inside it."""
    with _Kept() as stack:
        _JOBS.append(stack)
        try:
            yield
        finally:
            _JOBS.pop()
    if stack.has_cut:
        gc.collect()


def keep_frame(
    df: DataFrame, stack: ExitStack | None = None, level: StorageLevel = StorageLevel.DISK_ONLY
) -> DataFrame:
    """Keep a frame that is read more than once, until `stack` closes (None: until the job ends).

    On local disk by default, because it may be many times the memory; it is read in whole columns
    anyway.
    """
    holder = stack if stack is not None else next(reversed(_JOBS), None)
    if holder is not None:
        holder.callback(df.unpersist)
    return df.persist(level)


def cut_plan(df: DataFrame) -> DataFrame:
    """Put the rows on the workers' disks, without the plan that made them.

    For rows that later steps read more than once: each plan would otherwise repeat the one that
    made them. If a worker is lost, the job must be run again.

    The rows go with the last reference to the frame, which is looked for when the job ends: a
    session on a server frees them then, one in this process with Java's next collection of garbage.
    """
    if _JOBS:
        _JOBS[-1].has_cut = True
    return df.localCheckpoint(storageLevel=StorageLevel.DISK_ONLY)
