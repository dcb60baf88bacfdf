"""Rows of own tables in one form, and the rules that they must keep."""

import json
from collections.abc import Callable
from datetime import date, datetime

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from conf.load import ResolvedConf
from conf.sections.features import OwnTable
from features.own.checks import bring_to_common_form, check_values, parse_number
from features.quality.rule import RAW_ROW, REASON, RULE
from features.quality.verdicts import select_accepted

MakeConf = Callable[..., ResolvedConf]
RUN = date(2026, 3, 1)


def table(key: tuple[str, ...] = ("item_id",), **features: dict[str, object]) -> OwnTable:
    shown = features or {"margin": {}, "units": {"dtype": "int"}, "tier": {"dtype": "category"}}
    return OwnTable.model_validate(
        {"path": "x", "format": "csv", "key": key, "as_of": "as_of", "features": shown}
    )


def checked(spark: SparkSession, conf: ResolvedConf, rows: list[tuple[object, ...]]) -> DataFrame:
    schema = "item_id string, as_of string, margin string, units string, tier string"
    raw = bring_to_common_form(spark.createDataFrame(rows, schema), "shop", table())
    return check_values(raw, table(), conf.tree, RUN)


def test_rows_take_one_form(spark: SparkSession, make_conf: MakeConf) -> None:
    frame = checked(spark, make_conf(), [("a", "2026-02-01", "0.5", "2.0", " ")])
    (row,) = select_accepted(frame).collect()
    assert (row["dataset"], row["query"], row["item_id"], row["region"]) == ("shop", "*", "a", "*")
    assert row["as_of_date"] == date(2026, 2, 1)
    assert json.loads(row["values"]) == {"margin": "0.5", "units": "2.0"}


@pytest.mark.parametrize(
    ("given", "first_day"),
    [
        ("2026-02-01", date(2026, 2, 1)),
        ("2026-02-01 00:00:00", date(2026, 2, 1)),
        ("2026-02-01 00:00:01", date(2026, 2, 2)),
        (datetime(2026, 2, 27, 23), date(2026, 2, 28)),
        (date(2026, 2, 27), date(2026, 2, 27)),
    ],
)
def test_what_was_known_within_a_day_counts_from_the_next(
    spark: SparkSession, make_conf: MakeConf, given: object, first_day: date
) -> None:
    rows = spark.createDataFrame([("a", given, 1.0)], ["item_id", "as_of", "margin"])
    one = table(margin={})
    frame = check_values(bring_to_common_form(rows, "shop", one), one, make_conf().tree, RUN)
    assert [r["as_of_date"] for r in select_accepted(frame).collect()] == [first_day]


@pytest.mark.parametrize(
    ("row", "rule", "reason"),
    [
        ((None, "2026-02-01", "1", "1", "x"), "null_key", "item_id is null or blank"),
        (("a", None, "1", "1", "x"), "null_key", "as_of_date is null or blank"),
        (("a", "soon", "1", "1", "x"), "wrong_type", "as_of_date 'soon' is not date"),
        (("a", "00:00", "1", "1", "x"), "wrong_type", "as_of_date '00:00' is not date"),
        (("a", "2026-02-01", "1,5", "1", "x"), "wrong_type", "margin '1,5' is not float"),
        (("a", "2026-02-01", "7d", "1", "x"), "wrong_type", "margin '7d' is not float"),
        (("a", "2026-02-01", "NaN", "1", "x"), "wrong_type", "margin 'NaN' is not float"),
        (("a", "2026-02-01", "1e60", "1", "x"), "wrong_type", "margin '1e60' is not float"),
        (("a", "2026-02-01", "1", "1.5", "x"), "wrong_type", "units '1.5' is not int"),
        (
            ("a", "2026-03-02", "1", "1", "x"),
            "as_of_after_run_date",
            "as_of_date '2026-03-02' is after the run date 2026-03-01",
        ),
    ],
)
def test_a_row_that_breaks_a_rule_says_which(
    spark: SparkSession, make_conf: MakeConf, row: tuple[object, ...], rule: str, reason: str
) -> None:
    good = ("b", "2026-03-01", "1", "1", "x")
    frame = checked(spark, make_conf(), [row, good])
    bad = frame.where(f"{RULE} IS NOT NULL").collect()
    assert [r[RULE] for r in bad] == [rule]
    assert reason in bad[0][REASON]
    assert "margin" in bad[0][RAW_ROW]
    assert select_accepted(frame).count() == 1


def test_a_number_that_writes_out_a_day_is_no_time_of_1970(
    spark: SparkSession, make_conf: MakeConf
) -> None:
    given = [("a", 2026_02_01, 1.0), ("b", 1_769_904_000, 1.0)]
    one = table(margin={})
    form = bring_to_common_form(
        spark.createDataFrame(given, ["item_id", "as_of", "margin"]), "shop", one
    )
    frame = check_values(form, one, make_conf().tree, RUN)
    assert {r["item_id"]: r["as_of_date"] for r in select_accepted(frame).collect()} == {
        "b": date(2026, 2, 1)
    }
    (wrong,) = frame.where(f"{RULE} IS NOT NULL").collect()
    assert "as_of_date '20260201' is not date" in wrong[REASON]


@pytest.mark.parametrize(("given", "value"), [("true", 1.0), ("FALSE", 0.0), ("maybe", None)])
def test_a_boolean_is_true_or_false(
    spark: SparkSession, make_conf: MakeConf, given: str, value: float | None
) -> None:
    one = table(seasonal={"dtype": "boolean"})
    rows = spark.createDataFrame([("a", "2026-02-01", given)], ["item_id", "as_of", "seasonal"])
    frame = check_values(bring_to_common_form(rows, "shop", one), one, make_conf().tree, RUN)
    (row,) = frame.select(
        RULE, REASON, parse_number(F.lit(given), one.features["seasonal"], 10).alias("value")
    ).collect()
    assert row["value"] == value
    assert row[RULE] == (None if value is not None else "wrong_type")
    assert value is not None or "seasonal 'maybe' is not boolean" in row[REASON]


def test_of_one_key_and_day_one_row_passes(spark: SparkSession, make_conf: MakeConf) -> None:
    rows = [("a", "2026-02-01", m, "1", "x") for m in ("1", "2", "2")]
    rows.append(("a", "2026-02-02", "3", "1", "x"))
    frame = checked(spark, make_conf(), rows)
    assert [r[RULE] for r in frame.where(f"{RULE} IS NOT NULL").collect()] == ["duplicate_key"] * 2
    assert select_accepted(frame).count() == 2


def test_a_query_is_matched_by_text_whatever_its_case_and_a_region_must_be_ours(
    spark: SparkSession, make_conf: MakeConf
) -> None:
    rows = [(" Red Sofa ", "us", "2026-02-01", 1.0), ("red sofa", "mars", "2026-02-01", 1.0)]
    by_text = table(("query_text", "region"), season={})
    frame = spark.createDataFrame(rows, ["query_text", "region", "as_of", "season"])
    judged = check_values(
        bring_to_common_form(frame, "intent", by_text), by_text, make_conf().tree, RUN
    ).collect()
    found = {(r["query"], r["region"], r[RULE]) for r in judged}
    assert found == {("red sofa", "us", None), ("red sofa", "mars", "unknown_region")}
