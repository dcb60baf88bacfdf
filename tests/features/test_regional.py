"""Regional prices: levels of a region, percentiles within a type, unknown prices."""

import math
from datetime import date

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from features.log.history import MICRO
from features.regional import (
    price_levels,
    price_percentile,
    regional_prices,
    type_prices,
    with_price_ratio,
)

ITEMS = "item_id string, item_type string, price double"


def test_ratio_and_level_of_a_region(spark: SparkSession) -> None:
    """Yen at 100 to the euro: the level is ln 100, items without a price do not enter it."""
    items = spark.createDataFrame([("a", "t", 2.0), ("b", "t", None)], ITEMS)
    events = spark.createDataFrame(
        [("a", 200.0, 1), ("a", 200.0, 0), ("b", 7.0, 1)],
        "item_id string, price double, impressions long",
    )
    rows = with_price_ratio(events, items).collect()
    found = {(r["item_id"], r["impressions"]): (r["price_ratio"], r["priced"]) for r in rows}
    log = {x: round(math.log(x) * MICRO) for x in (100, 7)}
    assert found == {("a", 1): (log[100], 1), ("a", 0): (0, 0), ("b", 1): (log[7], 0)}
    daily = spark.createDataFrame(
        [("jp", date(2026, 2, 1), log[100], 1), ("jp", date(2026, 2, 1), log[7], 0)],
        "region string, day date, price_ratio long, priced long",
    )
    spine = spark.createDataFrame(
        [("jp", date(2026, 2, 1)), ("jp", date(2026, 2, 2))], "region string, day date"
    )
    levels = {r["day"].day: r["price_level"] for r in price_levels(daily, spine).collect()}
    assert levels == {1: 0.0, 2: pytest.approx(math.log(100), abs=1e-6)}


def test_price_features_take_the_level_off(spark: SparkSession) -> None:
    columns = (
        "price double, item_ratio double, price_level double, price_steps array<double>, "
        "median_price double"
    )
    steps = [1.0, 2.0, 4.0, 8.0]
    rows = spark.createDataFrame(
        [
            (4.0, math.log(100), math.log(100), steps, 2.0),
            (4.0, None, math.log(100), steps, 2.0),
            (None, math.log(3), 0.0, None, None),
            (None, None, 0.0, None, None),
        ],
        columns,
    )
    shown, unseen, unpriced, unknown = rows.select(
        *(column.alias(name) for name, column in regional_prices().items())
    ).collect()
    assert shown["item_log_price"] == pytest.approx(math.log(400))
    assert shown["item_price_percentile"] == pytest.approx((2 + 3) / 8)
    assert shown["item_price_vs_median"] == pytest.approx(math.log(2))
    assert unseen.asDict() == pytest.approx(shown.asDict())
    assert unpriced["item_log_price"] == pytest.approx(math.log(3))
    assert unpriced["item_price_percentile"] is None
    assert unknown["item_log_price"] is None


def test_percentile_runs_from_zero_to_one_within_a_type(spark: SparkSession) -> None:
    items = spark.range(1, 102).select(
        F.col("id").cast("string").alias("item_id"),
        F.when(F.col("id") > 0, F.lit("t")).alias("item_type"),
        F.col("id").cast("double").alias("price"),
    )
    prices = spark.createDataFrame([(0.5,), (51.0,), (500.0,), (None,)], "p double")
    found = (
        prices.join(type_prices(items), how="cross")
        .select(price_percentile(F.col("p"), F.col("price_steps")))
        .collect()
    )
    assert [r[0] for r in found[:3]] == pytest.approx([0.0, 0.5, 1.0], abs=0.01)
    assert found[3][0] is None


def test_percentile_is_the_share_of_steps_below_with_ties_counted_half(
    spark: SparkSession,
) -> None:
    steps = [1.0, 2.0, 2.0, 2.0, 4.0, 8.0]
    prices = [0.5, 1.0, 1.5, 2.0, 2.0 * (1 + 1e-7), 2.0 * (1 - 1e-7), 4.0, 8.0, 9.0]
    rows = spark.createDataFrame([(p, steps) for p in prices], "p double, steps array<double>")
    found = rows.select(price_percentile(F.col("p"), F.col("steps"))).collect()
    expected = [
        (sum(s < p * (1 - 1e-6) for s in steps) + sum(s <= p * (1 + 1e-6) for s in steps)) / 12
        for p in prices
    ]
    assert [r[0] for r in found] == pytest.approx(expected)
