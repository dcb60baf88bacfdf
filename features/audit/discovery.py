"""The Benjamini-Hochberg procedure on a DataFrame of any size."""

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

_BUCKETS = 1_000
"""Buckets of p (count): few enough that one task ranks them, so many that none holds a large share
of the tests."""


def with_q_values(df: DataFrame, p: str = "p_value", q: str = "q_value") -> DataFrame:
    """Add the q-value of each row that has a p-value; null where `p` is null.

    q = min over all p' >= p of p' * m / #{p_j <= p'} (Benjamini and Hochberg 1995), m tests: the
    rows with q <= a are those that the procedure rejects at false discovery rate a. Ranks are taken
    within a thousand buckets of p and shifted by the rows of the buckets before, so that no task
    sorts all rows.

    Args:
        p: column of p-values in [0, 1].
    """
    tested = df.where(F.col(p).isNotNull())
    untested = df.where(F.col(p).isNull()).withColumn(q, F.lit(None).cast("double"))
    return tested.transform(lambda rows: _add_q_values(rows, p, q)).unionByName(untested)


def _add_q_values(tested: DataFrame, p: str, q: str) -> DataFrame:
    bucket = F.least(F.floor(F.col(p) * _BUCKETS), F.lit(_BUCKETS - 1)).cast("int")
    bucketed = tested.withColumn("_bucket", bucket)
    upwards = Window.partitionBy("_bucket").orderBy(p)
    up_to_here = upwards.rangeBetween(Window.unboundedPreceding, Window.currentRow)
    raw = F.col(p) * F.col("_tests") / (F.count(p).over(up_to_here) + F.col("_rank_before"))
    ranked = bucketed.join(
        F.broadcast(_count_lower_buckets(bucketed)), on="_bucket", how="inner"
    ).withColumn("_raw", raw)
    downwards = Window.partitionBy("_bucket").orderBy(F.col(p).desc())
    from_here = downwards.rangeBetween(Window.unboundedPreceding, Window.currentRow)
    least = F.least(F.min("_raw").over(from_here), F.col("_least_behind"), F.lit(1.0))
    return (
        ranked.join(F.broadcast(_find_least_in_higher_buckets(ranked)), on="_bucket", how="inner")
        .withColumn(q, least)
        .drop("_bucket", "_rank_before", "_tests", "_raw", "_least_behind")
    )


def _count_lower_buckets(bucketed: DataFrame) -> DataFrame:
    """Return _bucket, _rank_before (tests in lower buckets) and _tests (all): at most one row per
    bucket.
    """
    counts = bucketed.groupBy("_bucket").agg(F.count(F.lit(1)).alias("_n"))
    lower = Window.partitionBy(F.lit(0)).orderBy("_bucket")
    total = Window.partitionBy(F.lit(0))
    below = F.sum("_n").over(lower.rowsBetween(Window.unboundedPreceding, Window.currentRow))
    return counts.select(
        "_bucket",
        (below - F.col("_n")).alias("_rank_before"),
        F.sum("_n").over(total).alias("_tests"),
    )


def _find_least_in_higher_buckets(ranked: DataFrame) -> DataFrame:
    """Return _bucket and _least_behind, the least p * m / rank in higher buckets (null in the
    last).
    """
    least = ranked.groupBy("_bucket").agg(F.min("_raw").alias("_least"))
    higher = Window.partitionBy(F.lit(0)).orderBy(F.col("_bucket").desc())
    least_above = F.min("_least").over(higher.rowsBetween(Window.unboundedPreceding, -1))
    return least.select("_bucket", least_above.alias("_least_behind"))
