"""Nothing that a job keeps outlives it."""

import pytest
from pyspark.sql import DataFrame, SparkSession

from jobs.platform.plans import keep, released_after


def test_a_job_that_fails_releases_what_it_kept(spark: SparkSession) -> None:
    frames: list[DataFrame] = []
    with pytest.raises(ValueError, match="no luck"), released_after():
        frames.append(keep(spark.range(100).toDF("a")))
        assert frames[0].storageLevel.useDisk
        raise ValueError("no luck")
    assert not frames[0].storageLevel.useDisk
