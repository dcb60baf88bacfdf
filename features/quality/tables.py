"""The rules of each raw table, and the checked frame that they make.

A checked frame holds the contract's columns, typed, and the verdict on each row: `_rule` (null: it
passes), `_reason`, and `_raw_row` (the row as JSON, or the line as read) where it fails. It has
exactly the rows of the raw frame.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from conf.schema import Conf
from features.contracts import IMPRESSIONS, ITEMS, JUDGMENTS, QUERIES, Table
from features.labels.grades import GRADES
from features.labels.judged import JUDGED_SOURCES
from features.log.first_known import KNOWN, over_versions, with_events_known
from features.quality.across import (
    DUPLICATE,
    OLDER,
    SALT,
    judge_conflicts,
    judge_duplicates,
    judge_references,
)
from features.quality.events import (
    event_after_run_date,
    known_after_run_date,
    known_before_event,
    step_before_event,
    step_without,
)
from features.quality.rule import RAW_ROW, RULE, VERDICT, Rule, judge_rows
from features.quality.typed import (
    MALFORMED,
    ROW,
    cast_columns,
    malformed_line,
    raw_value,
    wrong_type,
)
from features.quality.values import (
    in_unit,
    missing_value,
    null_key,
    position_from_one,
    price_positive,
    require_member,
    text_length,
    wrong_encoding,
)
from features.split import assign_bucket

DERIVED = ("bucket", "event_date")
"""Columns that are made here, whatever the source gives."""

_FREE_TEXT = ("description", "values")
"""Columns of a limit of their own, in which one bad character is not worth an item."""


@dataclass(frozen=True)
class References:
    """What rows may refer to: `items` unique by item_id, `queries` by query_id, with region."""

    items: DataFrame
    queries: DataFrame


def checked_items(raw: DataFrame, conf: Conf) -> DataFrame:
    """Return items and their verdicts; of each item_id one row passes."""
    return (
        raw.transform(_row_rules, ITEMS, conf, [price_positive()])
        .transform(judge_duplicates, ITEMS)
        .transform(_finish_rows, ITEMS)
    )


def checked_queries(raw: DataFrame, conf: Conf) -> DataFrame:
    """Return queries with their bucket and verdicts; of each query_id one row passes."""
    rules = [require_member("unknown_region", "region", conf.regions, "conf regions")]
    return (
        raw.transform(_row_rules, QUERIES, conf, rules)
        .withColumn("bucket", assign_bucket(F.col("query_text"), conf.split.buckets))
        .transform(judge_duplicates, QUERIES)
        .transform(_finish_rows, QUERIES)
    )


def checked_judgments(
    raw: DataFrame, conf: Conf, run_date: date, references: References
) -> DataFrame:
    """Return judgments and their verdicts; all rows of a key with conflicting grades fail."""
    rules = [
        require_member("grade_range", "grade", GRADES, ", ".join(map(str, GRADES))),
        require_member("judgment_source", "source", JUDGED_SOURCES, ", ".join(JUDGED_SOURCES)),
        event_after_run_date(run_date, "judged_at"),
    ]
    return (
        raw.transform(_row_rules, JUDGMENTS, conf, rules)
        .transform(judge_references, "unknown_query", references.queries, "query_id", "queries")
        .transform(judge_references, "unknown_item", references.items, "item_id", "items")
        .transform(judge_conflicts, JUDGMENTS, "grade")
        .transform(judge_duplicates, JUDGMENTS, ["judged_at"])
        .transform(_finish_rows, JUDGMENTS)
    )


def checked_impressions(
    raw: DataFrame, conf: Conf, run_date: date, references: References
) -> DataFrame:
    """Return impressions with their day and verdicts; of each page and item the last known row
    passes.

    It carries when each of its events was first known by any row of its page and item.
    """
    version_and_last = (
        F.col(RULE).isNull() | F.col(RULE).isin(OLDER, DUPLICATE),
        F.col(RULE).isNull(),
    )
    keep = conf.ingest.withdrawn_events == "keep"
    return (
        raw.transform(_row_rules, IMPRESSIONS, conf, _impression_rules(conf, run_date))
        .withColumn("event_date", F.to_date("event_time"))
        .transform(
            judge_references, "unknown_query", references.queries, "query_id", "queries", "region"
        )
        .transform(judge_references, "unknown_item", references.items, "item_id", "items")
        .transform(with_events_known)
        .transform(judge_duplicates, IMPRESSIONS, ["known_at", *reversed(KNOWN.values())])
        .transform(over_versions, (*IMPRESSIONS.key, SALT), *version_and_last, keep)
        .transform(_finish_rows, IMPRESSIONS)
    )


def checked_rows(raw: DataFrame, table: Table, conf: Conf, rules: Sequence[Rule]) -> DataFrame:
    """Return rows of a table that refers to no other, and their verdicts; of each key one row
    passes.
    """
    return (
        raw.transform(_row_rules, table, conf, rules)
        .transform(judge_duplicates, table)
        .transform(_finish_rows, table)
    )


def required_columns(table: Table) -> list[str]:
    """List the columns that a raw frame of the table must have."""
    return [c.name for c in table.columns if c.required and c.name not in DERIVED]


def _impression_rules(conf: Conf, run_date: date) -> list[Rule]:
    rules = [
        require_member("unknown_region", "region", conf.regions, "conf regions"),
        position_from_one(),
        price_positive(),
        in_unit("propensity"),
        event_after_run_date(run_date, "event_time", "carted_at", "purchased_at"),
        known_before_event(),
        known_after_run_date(run_date),
        step_before_event("carted_at", "purchased_at"),
    ]
    if not conf.ingest.allow_cart_without_click:
        rules.append(step_without("cart_without_click", "carted", "clicked"))
    if not conf.ingest.allow_purchase_without_cart:
        rules.append(step_without("purchase_without_cart", "purchased", "carted"))
    return rules


def _row_rules(raw: DataFrame, table: Table, conf: Conf, table_rules: Sequence[Rule]) -> DataFrame:
    """Type the columns and judge each row by itself."""
    strings = [c for c in table.columns if c.type == "string"]
    texts = [c.name for c in strings if c.name not in _FREE_TEXT]
    filled = [c.name for c in strings if c.required and c.name not in table.key]
    limits = dict.fromkeys([c.name for c in strings], conf.ingest.max_text_chars)
    limits |= {name: conf.ingest.max_free_text_chars for name in _FREE_TEXT if name in limits}
    df = cast_columns(raw, table)
    rules = [
        *([malformed_line()] if MALFORMED in raw.columns else []),
        wrong_type(raw.columns, table),
        null_key(table),
        missing_value(table, raw.columns),
        wrong_encoding(texts),
        text_length(limits, filled),
        *table_rules,
    ]
    line = [raw_value(MALFORMED)] if MALFORMED in raw.columns else []
    row = _as_json([raw_value(name).alias(name) for name in raw.columns if name != MALFORMED])
    judged = df.transform(judge_rows, rules)
    return judged.withColumn(RAW_ROW, F.when(F.col(RULE).isNotNull(), F.coalesce(*line, row))).drop(
        ROW
    )


def _finish_rows(df: DataFrame, table: Table) -> DataFrame:
    """Select the contract's columns and the verdict. The raw row of one that failed only beside
    others is its columns as JSON.
    """
    row = _as_json([F.col(name) for name in table.column_names])
    raw_row = F.when(F.col(RULE).isNotNull(), F.coalesce(RAW_ROW, row)).alias(RAW_ROW)
    return df.select(*table.column_names, *VERDICT[:2], raw_row)


def _as_json(columns: Sequence[Column]) -> Column:
    return F.to_json(F.struct(*columns), {"ignoreNullFields": "false"})
