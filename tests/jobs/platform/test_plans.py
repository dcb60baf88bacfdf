"""Nothing that a job keeps outlives it."""

import gc
import time

import pytest
from pyspark.sql import DataFrame, SparkSession

from jobs.platform.plans import cut_plan, keep_frame, released_after


def persisted(spark: SparkSession) -> list[str]:
    """What Spark still holds after the garbage of Python and Java was collected."""
    context = spark.sparkContext
    for _ in range(5):
        gc.collect()
        context._jvm.System.gc()
        time.sleep(0.3)
    return [rdd.toString() for rdd in context._jsc.getPersistentRDDs().values()]


def work(spark: SparkSession) -> None:
    kept = keep_frame(spark.range(100).toDF("a"))
    pieces = cut_plan(kept.withColumn("b", kept.a * 2))
    assert pieces.count() == kept.count()


def test_what_is_kept_or_cut_in_a_job_is_released_at_its_end(spark: SparkSession) -> None:
    before = persisted(spark)
    with released_after():
        work(spark)
    assert set(persisted(spark)) <= set(before)


def test_a_job_that_fails_releases_what_it_kept(spark: SparkSession) -> None:
    frames: list[DataFrame] = []
    with pytest.raises(ValueError, match="no luck"), released_after():
        frames.append(keep_frame(spark.range(100).toDF("a")))
        assert frames[0].storageLevel.useDisk
        raise ValueError("no luck")
    assert not frames[0].storageLevel.useDisk


def test_a_job_within_a_job_releases_only_its_own(spark: SparkSession) -> None:
    with released_after():
        outer = keep_frame(spark.range(101).toDF("a"))
        with released_after():
            inner = keep_frame(spark.range(102).toDF("b"))
        assert outer.storageLevel.useDisk
        assert not inner.storageLevel.useDisk
    assert not outer.storageLevel.useDisk
