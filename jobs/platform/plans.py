"""Frames that are read more than once: kept, or cut off from a plan that would grow."""

from contextlib import ExitStack

from pyspark import StorageLevel
from pyspark.sql import DataFrame


def keep(df: DataFrame, kept: ExitStack) -> DataFrame:
    """Keep a frame that is read more than once on local disk, until `kept` closes.

    On disk, because it may be many times the memory; it is read in whole columns anyway.
    """
    kept.callback(df.unpersist)
    return df.persist(StorageLevel.DISK_ONLY)


def cut(df: DataFrame) -> DataFrame:
    """The rows on the workers' disks, without the plan that made them.

    For rows that later steps read more than once: their plans would repeat this one each time.
    Should a worker be lost, the job is run again.
    """
    return df.localCheckpoint(storageLevel=StorageLevel.DISK_ONLY)
