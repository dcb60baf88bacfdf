"""Small tables that tests of the warehouse write."""

import datetime as dt

from pyspark.sql import DataFrame, SparkSession

from features.contracts import Constraint, Table
from features.contracts.table import declare_required

RUN = dt.date(2026, 3, 1)
PRICES = Table(
    name="prices",
    grain="one row per item",
    columns=declare_required([("item_id", "string", "item's id"), ("price", "double", "price")]),
    key=("item_id",),
    checks=(Constraint("price_positive", "price > 0"),),
    cluster_by=("item_id",),
)
DAILY = Table(
    name="daily",
    grain="one row per run and item",
    columns=declare_required([("run_date", "date", "run"), ("item_id", "string", "item")]),
    key=("run_date", "item_id"),
)


def prices(spark: SparkSession, *rows: tuple[str, float]) -> DataFrame:
    return spark.createDataFrame(list(rows), "item_id string, price double")
