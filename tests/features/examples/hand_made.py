"""Hand-made rows that training examples are built from."""

import datetime as dt
from collections.abc import Sequence
from typing import Any

from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from features.contracts import IMPRESSIONS, LABELER_DECISIONS, QUERIES, RELEVANCE_LABELS, Table
from features.declarations import ITEM_LEVEL, PAIR_LEVEL, QUERY_LEVEL
from features.examples.training_rows import TrainingInputs
from features.lookup import FeatureTables

RUN = dt.date(2026, 3, 1)


def frame(spark: SparkSession, table: Table, rows: Sequence[dict[str, Any]]) -> DataFrame:
    schema = ", ".join(f"`{c.name}` {c.type}" for c in table.columns)
    return spark.createDataFrame(
        [tuple(r.get(n) for n in table.column_names) for r in rows], schema
    )


def shown(search: str, item: str, days_ago: int, **given: Any) -> dict[str, Any]:
    """An impression at noon, `days_ago` days before the run date, known a minute later."""
    at = dt.datetime(2026, 3, 1, 12) - dt.timedelta(days=days_ago)
    row = {
        "search_id": search,
        "query_id": "q1",
        "item_id": item,
        "region": "us",
        "position": 1,
        "event_time": at,
        "known_at": at + dt.timedelta(minutes=1),
        "event_date": at.date(),
        "price": 1.0,
        "clicked": False,
        "carted": False,
        "purchased": False,
        "dataset": "test",
        "simulated": True,
    }
    return row | given


def query(name: str, bucket: int) -> dict[str, Any]:
    return {
        "query_id": name,
        "query_text": name,
        "region": "us",
        "bucket": bucket,
        "dataset": "test",
        "simulated": True,
    }


def label(query_id: str, item: str, source: str, grade: int, **given: Any) -> dict[str, Any]:
    return {
        "query_id": query_id,
        "item_id": item,
        "source": source,
        "labeler_version": "v1",
        "grade": grade,
        "p_ge_1": float(grade >= 1),
        "p_ge_2": float(grade >= 2),
        "simulated": False,
    } | given


def feature_tables(spark: SparkSession, dates: Sequence[dt.date]) -> FeatureTables:
    """One row a key and day: query_chars, item_log_price and pair_bm25 tell the day of month."""

    def filled(keys: list[tuple[Any, ...]], names: str, features: Any, told: str) -> DataFrame:
        values = {f.name: F.lit(f.default).cast("float") for f in features}
        told_day = {told: F.dayofmonth("as_of_date").cast("float")}
        return spark.createDataFrame(keys, f"as_of_date date, {names}").withColumns(
            values | told_day
        )

    queries, items = ("q1", "q2", "q3"), ("a", "b", "c")
    return FeatureTables(
        filled(
            [(d, q) for d in dates for q in queries], "query_id string", QUERY_LEVEL, "query_chars"
        ),
        filled(
            [(d, i, "us") for d in dates for i in items],
            "item_id string, region string",
            ITEM_LEVEL,
            "item_log_price",
        ),
        filled(
            [(d, q, i) for d in dates for q in queries for i in items],
            "query_id string, item_id string",
            PAIR_LEVEL,
            "pair_bm25",
        ),
    )


def inputs(
    spark: SparkSession,
    impressions: Sequence[dict[str, Any]],
    labels: Sequence[dict[str, Any]] = (),
) -> TrainingInputs:
    dates = [RUN - dt.timedelta(days=d) for d in range(11)]
    return TrainingInputs(
        frame(spark, IMPRESSIONS, impressions),
        frame(spark, QUERIES, [query("q1", 0), query("q2", 8), query("q3", 9), query("q4", 5)]),
        frame(spark, RELEVANCE_LABELS, labels),
        feature_tables(spark, dates),
    )


def decided(spark: SparkSession, *decisions: tuple[str, str]) -> DataFrame:
    """Rows of labeler_decisions: version and decision, in their order."""
    rows = [
        {
            "decision_no": number,
            "labeler_version": version,
            "run_date": RUN,
            "decision": decision,
            "reasons": ["tested"],
            "metrics": "{}",
            "gold_pairs": 1,
            "gold_queries": 1,
        }
        for number, (version, decision) in enumerate(decisions, 1)
    ]
    return LABELER_DECISIONS.local_frame(spark, rows)


def by_id(rows: DataFrame) -> dict[str, Row]:
    found = rows.collect()
    named = {row.example_id: row for row in found}
    assert len(named) == len(found), "an example id occurs twice"
    return named
