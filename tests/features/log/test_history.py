"""Effective days, windows, priors and smoothing against hand-worked numbers."""

from datetime import date, datetime
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from conf.schema import Conf
from features.contracts import IMPRESSIONS
from features.log.history import (
    MICRO,
    effective_events,
    prior_rates,
    smooth_rate,
    sum_windows,
    visible_log,
)

DDL = ", ".join(f"{c.name} {c.type}" for c in IMPRESSIONS.columns)


def impression(search: str, event: datetime, known: datetime, **changes: Any) -> dict[str, Any]:
    return {
        "search_id": search,
        "query_id": "q",
        "item_id": "i",
        "region": "us",
        "position": 1,
        "event_time": event,
        "known_at": known,
        "event_date": event.date(),
        "price": 2.0,
        "clicked": False,
        "carted": False,
        "purchased": False,
        "dataset": "test",
        "simulated": True,
        **changes,
    }


def day(number: int, hour: int = 0) -> datetime:
    return datetime(2026, 2, number, hour)


def log(spark: SparkSession, *rows: dict[str, Any]) -> DataFrame:
    full = [{c.name: row.get(c.name) for c in IMPRESSIONS.columns} for row in rows]
    return spark.createDataFrame(full, DDL)


def test_events_count_on_the_day_they_are_known(spark: SparkSession) -> None:
    rows = log(
        spark,
        impression("same", day(1, 23), day(1, 23), clicked=True),
        impression("late", day(1, 23), day(3), clicked=True),
        impression(
            "funnel",
            day(1),
            day(2),
            clicked=True,
            carted=True,
            purchased=True,
            carted_at=day(1, 5),
            purchased_at=day(4),
        ),
        impression("with page", day(5), day(5), clicked=True, carted=True),
        impression("seen only", day(6), day(6), carted_at=day(6)),
        impression("late click", day(7), day(7), clicked=True, clicked_known_at=day(8)),
    )
    counted = {
        (r["day"].day, r["impressions"], r["clicks"], r["carts"], r["purchases"])
        for r in effective_events(rows).collect()
    }
    assert counted == {
        (1, 1, 1, 0, 0),
        (3, 1, 1, 0, 0),
        (2, 1, 1, 0, 0),
        (2, 0, 0, 1, 0),
        (4, 0, 0, 0, 1),
        (5, 1, 1, 0, 0),
        (5, 0, 0, 1, 0),
        (6, 1, 0, 0, 0),
        (7, 1, 0, 0, 0),
        (8, 0, 1, 0, 0),
    }


def test_spark_compiles_all_of_the_events(
    spark: SparkSession, capsys: pytest.CaptureFixture[str]
) -> None:
    """It interprets a lambda, and the stage that has one: daily counts took a third longer."""
    effective_events(log(spark)).explain()
    assert "lambda" not in capsys.readouterr().out


def test_the_log_of_a_run_ends_before_its_date(spark: SparkSession) -> None:
    rows = log(
        spark,
        impression("in", day(9, 23), day(9, 23)),
        impression("known late", day(9), day(10)),
        impression("future", day(10), day(10)),
        impression("clicked later", day(9), day(9), clicked=True, clicked_known_at=day(10)),
        impression("carted later", day(9), day(9), clicked=True, carted=True, carted_at=day(10)),
    )
    seen = visible_log(rows, date(2026, 2, 10)).collect()
    found = {r["search_id"]: (r["clicked"], r["carted"]) for r in seen}
    assert found == {
        "in": (False, False),
        "clicked later": (False, False),
        "carted later": (True, False),
    }


def test_windows_end_the_day_before(spark: SparkSession) -> None:
    daily = spark.createDataFrame(
        [
            ("a", date(2026, 2, 1), 1),
            ("a", date(2026, 2, 7), 10),
            ("a", date(2026, 2, 8), 100),
            ("a", date(2026, 2, 9), 1000),
            ("b", date(2026, 2, 8), 5),
        ],
        "k string, day date, n long",
    )
    spine = spark.createDataFrame(
        [(k, date(2026, 2, d)) for k, d in [("a", 8), ("a", 8), ("a", 9), ("b", 8), ("c", 9)]],
        "k string, day date",
    )
    rows = sum_windows(daily, spine, ["k"], ["n"], [1, 7]).collect()
    sums = {(r["k"], r["day"].day): (r["n_1d"], r["n_7d"]) for r in rows}
    assert len(rows) == 4
    assert sums == {("a", 8): (10, 11), ("a", 9): (100, 110), ("b", 8): (0, 0), ("c", 9): (0, 0)}


def test_priors_are_the_rates_of_the_days_before(spark: SparkSession) -> None:
    daily = spark.createDataFrame(
        [
            ("us", date(2026, 2, 1), 10, 4, 2, 1, 5 * MICRO),
            ("uk", date(2026, 2, 1), 30, 4, 0, 0, 15 * MICRO),
            ("us", date(2026, 2, 2), 99, 99, 99, 99, 99 * MICRO),
        ],
        "region string, day date, impressions long, clicks long, carts long, purchases long, "
        "examined long",
    )
    days = spark.createDataFrame([(date(2026, 2, 1),), (date(2026, 2, 2),)], "day date")
    conf = Conf.model_validate({"regions": ("us", "uk", "de")})
    rows = {(r["day"].day, r["region"]): r for r in prior_rates(daily, days, 28, conf).collect()}
    assert len(rows) == 6
    us, de = rows[(2, "us")], rows[(2, "de")]
    assert (us["prior_ctr"], us["prior_cart_rate"], us["prior_purchase_rate"]) == (0.4, 0.2, 0.1)
    assert (us["all_ctr"], us["all_cart_rate"], us["all_debiased_ctr"]) == (0.2, 0.05, 0.4)
    assert (de["prior_ctr"], de["all_ctr"]) == (0.0, 0.2)
    assert rows[(1, "us")]["all_ctr"] == 0.0


def test_smoothing_pulls_towards_the_prior(spark: SparkSession) -> None:
    conf = Conf.model_validate({"features": {"prior_impressions": 50}})
    rate = smooth_rate(F.lit(3), F.lit(10), F.lit(0.1), conf)
    assert spark.range(1).select(rate).collect()[0][0] == pytest.approx((3 + 5) / 60)


def test_rows_of_one_key_and_day_are_added(spark: SparkSession) -> None:
    """Two rows of day 1; with the days of the counts themselves as spine, one row per day."""
    schema = "k string, day date, n long"
    twice = spark.createDataFrame([("a", date(2026, 2, 1), 2), ("a", date(2026, 2, 1), 3)], schema)
    asked = spark.createDataFrame(
        [("a", date(2026, 2, 2)), ("b", date(2026, 2, 2))], "k string, day date"
    )
    found = sum_windows(twice, asked, ["k"], ["n"], [7]).collect()
    assert {(r["k"], r["n_7d"]) for r in found} == {("a", 5), ("b", 0)}
    days = [("a", date(2026, 2, day), n) for day, n in ((1, 2), (3, 4), (9, 8))]
    found = sum_windows(spark.createDataFrame(days, schema), None, ["k"], ["n"], [7]).collect()
    assert {(r["day"].day, r["n_7d"]) for r in found} == {(1, 0), (3, 2), (9, 4)}
