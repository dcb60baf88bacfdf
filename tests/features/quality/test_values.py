"""Casts that never fail, and the verdict that many rules make together."""

from collections.abc import Callable
from datetime import date, datetime

import pytest
from pyspark.sql import Column, SparkSession
from pyspark.sql import functions as F

from features.contracts import ITEMS
from features.quality.rule import RAW_ROW, REASON, RULE, Rule, judge_rows
from features.quality.typed import ROW, cast_columns, try_cast, wrong_type
from features.quality.values import in_unit, price_positive, text_length, wrong_encoding
from features.quality.verdicts import MAX_KEPT_CHARS, build_quarantine

CASTS = [
    ("'2.0'", "int", 2),
    ("'2.5'", "int", None),
    ("2.5D", "int", None),
    ("2.0D", "int", 2),
    ("1e300D", "int", None),
    ("cast('NaN' as double)", "int", None),
    ("true", "int", None),
    ("array(1)", "double", None),
    ("'x'", "double", None),
    ("'-3'", "double", -3.0),
    ("1", "boolean", True),
    ("'0.0'", "boolean", False),
    ("'no'", "boolean", False),
    ("2", "boolean", None),
    ("'2026-03-01T10:00:00Z'", "timestamp", datetime(2026, 3, 1, 10)),
    ("1767261600", "timestamp", datetime(2026, 1, 1, 10)),
    ("date'2026-01-01'", "timestamp", datetime(2026, 1, 1)),
    ("timestamp'2026-01-01 23:59:59'", "date", date(2026, 1, 1)),
    ("20260101", "date", None),
    ("true", "timestamp", None),
    ("12", "string", "12"),
    ("'99999-01-01'", "date", None),
    ("cast('99999-01-01' as date)", "date", None),
    ("cast('9999-12-31' as date)", "date", date(9999, 12, 31)),
    ("'0000-01-01'", "date", None),
    ("1767261600000", "timestamp", None),
]


def test_try_cast_never_fails_and_never_rounds(spark: SparkSession) -> None:
    given = spark.sql(
        "select " + ", ".join(f"{sql} as c{i}" for i, (sql, _, _) in enumerate(CASTS))
    )
    columns = [
        try_cast(F.col(field.name), field.dataType, target).alias(field.name)
        for field, (_, target, _) in zip(given.schema.fields, CASTS, strict=True)
    ]
    row = given.select(*columns).first()
    assert row is not None
    wrong = [(c, got) for c, got in zip(CASTS, row, strict=True) if got != c[2]]
    assert wrong == []


def test_typed_keeps_the_raw_row_and_adds_missing_columns(spark: SparkSession) -> None:
    raw = spark.createDataFrame([("a", "cheap")], "item_id string, price string")
    checked = cast_columns(raw, ITEMS).withColumn("wrong", wrong_type(raw.columns, ITEMS).failure)
    row = checked.first()
    assert row is not None
    assert checked.columns == [*ITEMS.column_names, ROW, "wrong"]
    assert (row["item_id"], row["price"], row["brand"]) == ("a", None, None)
    assert row[ROW].asDict() == {"item_id": "a", "price": "cheap"}
    assert row["wrong"] == "price 'cheap' is not double"


def _says(name: str, condition: str) -> Rule:
    return Rule(name, F.when(F.expr(condition), F.lit(f"{name} fails")))


def test_first_rule_names_the_row_and_all_reasons_stand(spark: SparkSession) -> None:
    df = spark.range(4)
    rules = [_says("odd", "id % 2 = 1"), _says("big", "id >= 2")]
    once = df.transform(judge_rows, rules)
    twice = once.transform(judge_rows, [_says("three", "id = 3"), _says("zero", "id = 0")])
    rows = {r["id"]: (r[RULE], r[REASON]) for r in twice.collect()}
    assert rows == {
        0: ("zero", "zero fails"),
        1: ("odd", "odd fails"),
        2: ("big", "big fails"),
        3: ("odd", "odd fails; big fails; three fails"),
    }


def test_the_quarantine_keeps_the_beginning_of_a_row(spark: SparkSession) -> None:
    """And says how long it was; a short one is kept whole."""
    checked = spark.createDataFrame(
        [("d", "odd", "why", "x" * 20_000), ("d", "odd", "y" * 20_000, "short")],
        f"dataset string, {RULE} string, {REASON} string, {RAW_ROW} string",
    )
    rows = build_quarantine({ITEMS: checked}, date(2026, 3, 1), "d").collect()
    long, short = sorted(rows, key=lambda row: -len(row.raw_row))
    mark = " [cut, of 20000 characters]"
    assert long.raw_row == "x" * MAX_KEPT_CHARS + mark
    assert (long.reason, short.raw_row) == ("why", "short")
    assert short.reason == "y" * MAX_KEPT_CHARS + mark


def _failures(spark: SparkSession, values: str, failure: Column) -> list[str | None]:
    rows = spark.sql(f"select * from values {values} as t(i, price, propensity, title)")
    return [r[0] for r in rows.orderBy("i").select(failure).collect()]


@pytest.mark.parametrize(
    ("rule", "failing"),
    [
        (price_positive, {1, 2, 3, 4, 5}),
        (lambda: in_unit("propensity"), {1, 2, 3}),
        (lambda: text_length({"title": 3}, ["title"]), {1, 2, 7, 8}),
        (lambda: wrong_encoding(["title"]), {4, 5, 7, 9}),
    ],
    ids=["price", "propensity", "length", "encoding"],
)
def test_rule_on_one_value(
    spark: SparkSession, rule: Callable[[], Rule], failing: set[int]
) -> None:
    values = """
        (0, 0.01D, 1.0D, 'abc'), (1, 0D, 0D, 'abcd'), (2, -1D, 1.01D, ' '),
        (3, double('NaN'), double('NaN'), 'é日x'), (4, double('Infinity'), 0.5D, 'a\ufffd'),
        (5, 1e12D, null, cast(X'61ff' as string)), (6, null, null, null),
        (7, null, null, cast(X'0000' as string)), (8, null, null, '\u200b\u00a0\t'),
        (9, null, null, concat('a', cast(X'00' as string), 'b')), (10, null, null, '\tab')"""
    found = _failures(spark, values, rule().failure)
    assert {i for i, failure in enumerate(found) if failure is not None} == failing
