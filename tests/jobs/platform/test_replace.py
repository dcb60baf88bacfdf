"""A replacement touches only what it replaces, and commits nothing where nothing changes."""

import datetime as dt
from collections.abc import Callable

import pytest
from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from conf.load import ResolvedConf
from jobs.platform.runner import open_warehouse
from tests.jobs.platform.small_tables import DAILY, PRICES, RUN, prices

MakeConf = Callable[..., ResolvedConf]


def test_a_replacement_by_equal_rows_commits_nothing_where_asked(
    spark: SparkSession, make_conf: MakeConf
) -> None:
    warehouse, _ = open_warehouse(spark, make_conf(), "test")
    rows, other = prices(spark, ("a", 1.0), ("b", 2.0)), prices(spark, ("b", 2.0), ("a", 1.5))
    first = warehouse.replace(PRICES, rows, "true", unless_equal=True)
    assert warehouse.replace(PRICES, rows.orderBy("price"), "true", unless_equal=True) == first
    second = warehouse.replace(PRICES, other, "true", unless_equal=True)
    assert (second.rows, second.version) == (2, first.version + 1)


def test_no_rows_in_place_of_none_leave_the_table_as_it_stands(
    spark: SparkSession, make_conf: MakeConf
) -> None:
    warehouse, report = open_warehouse(spark, make_conf(), "test")
    written = warehouse.replace(PRICES, prices(spark, ("a", 1.0)).where("false"), "price > 5")
    assert (written.rows, written.version) == (0, warehouse.read_version(PRICES))
    assert report.outputs[PRICES.name] == written.version


def test_replace_touches_only_its_run_date(spark: SparkSession, make_conf: MakeConf) -> None:
    warehouse, _ = open_warehouse(spark, make_conf(), "test")
    other = spark.createDataFrame([(dt.date(2026, 2, 1), "x")], "run_date date, item_id string")
    mine = spark.createDataFrame([(RUN, "a"), (RUN, "b")], other.schema)
    warehouse.replace(DAILY, other, "run_date = DATE'2026-02-01'")

    versions = [warehouse.replace_run(DAILY, mine).version for _ in range(2)]

    assert versions[1] == versions[0] + 1
    assert warehouse.read(DAILY).count() == 3
    assert warehouse.read_run(DAILY).count() == 2


def test_rows_in_place_of_none_are_appended(spark: SparkSession, make_conf: MakeConf) -> None:
    """A replacement computes the table's state: only where there may be rows to replace."""
    warehouse, _ = open_warehouse(spark, make_conf(), "test")
    schema = "run_date date, item_id string"
    first, mine = (
        spark.createDataFrame([(day, "a")], schema) for day in (dt.date(2026, 2, 1), RUN)
    )
    warehouse.replace(DAILY, first, "run_date = DATE'2026-02-01'")
    for rows in (mine, mine.union(mine.withColumn("item_id", F.lit("b"))), mine):
        warehouse.replace_run(DAILY, rows)
    log = spark.sql(f"DESCRIBE HISTORY {warehouse.build_identifier(DAILY)}").orderBy("version")
    modes = [row["operationParameters"].get("mode") for row in log.collect()]
    assert modes == [None, "Append", "Append", "Overwrite", "Overwrite"]
    assert warehouse.read_run(DAILY).collect() == mine.collect()
    assert warehouse.read(DAILY).count() == 2


@pytest.mark.parametrize("stored", [False, True])
def test_a_row_outside_of_what_is_replaced_is_refused(
    spark: SparkSession, make_conf: MakeConf, stored: bool
) -> None:
    warehouse, _ = open_warehouse(spark, make_conf(), "test")
    rows = spark.createDataFrame([(RUN, "a")], "run_date date, item_id string")
    if stored:
        warehouse.replace_run(DAILY, rows)
    other = rows.withColumn("run_date", F.date_add("run_date", 1))
    with pytest.raises((PySparkException, Py4JJavaError), match=r"does not satisfy|REPLACE_WHERE"):
        warehouse.replace_run(DAILY, rows.union(other))
    assert warehouse.read(DAILY).count() == int(stored)
