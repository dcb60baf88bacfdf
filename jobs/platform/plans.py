"""Plans that would grow with every step are cut."""

from pyspark import StorageLevel
from pyspark.sql import DataFrame


def cut(df: DataFrame) -> DataFrame:
    """The rows on the workers' disks, without the plan that made them.

    For rows that later steps read more than once: their plans would repeat this one each time.
    Should a worker be lost, the job is run again.
    """
    return df.localCheckpoint(storageLevel=StorageLevel.DISK_ONLY)
