"""Sums of blocks in Spark."""

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from jobs.reports.list_sums import sum_blocks, sum_lists_by_query
from model.evaluation.list_sums import ListMetric
from udfs.list_sums import SUMS

ROW = {"ranker": "r", "region": "us", "block": 3, "short": 0, "masked": 0, "no_positive": 0}


def test_mean_over_a_querys_pages_first(spark: SparkSession) -> None:
    """Query a has parts in two places; c has no list that counts."""
    rows = [
        ROW
        | {"query_id": query, "metric": "m", "is_mean": True}
        | dict(zip(("total", "under", "lists", "masked"), sums, strict=True))
        for query, *sums in (
            ("a", 1.0, 1.0, 1, 1),
            ("a", 0.5, 2.0, 2, 0),
            ("b", 1.0, 1.0, 1, 0),
            ("c", 0.0, 0.0, 0, 1),
        )
    ]
    rows += [r | {"metric": "ratio", "is_mean": False} for r in rows]
    mean, ratio = sum_blocks(spark.createDataFrame(rows, SUMS)).orderBy("metric").collect()
    assert (mean["block"], mean["region"], mean["ranker"], mean["metric"]) == (3, "us", "r", "m")
    assert (mean["total"], mean["denominator"]) == (0.5 + 1.0, 2.0)
    assert (ratio["total"], ratio["denominator"]) == (2.5, 4.0)
    for row in (mean, ratio):
        assert (row["queries"], row["lists"], row["masked"], row["short"]) == (2, 4, 2, 0)


def test_lists_from_rows_in_any_order(spark: SparkSession) -> None:
    rows = [("u1", 1.0, 5), ("u2", 1.0, 1), ("u1", 0.0, 7), ("u2", 0.0, 0), ("u3", 1.0, 0)]
    frame = spark.createDataFrame(rows, "unit string, g double, s int").selectExpr(
        "*", "'q' query_id", "'us' region", "0 block"
    )
    sums = frame.repartition(3).transform(
        lambda f: sum_lists_by_query(
            f, {"s": F.col("s")}, {"g": F.col("g")}, [ListMetric("m", "g")], [1.0, 0.5]
        )
    )
    [found] = sum_blocks(sums).collect()
    assert (found["total"], found["denominator"]) == (pytest.approx((0.5 + 1.0) / 2), 1.0)
    assert (found["lists"], found["short"]) == (2, 1)
