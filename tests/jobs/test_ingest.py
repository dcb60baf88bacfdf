"""Ingest end to end on tiny sources: once, twice, with changed and vanished rows, and dry."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import get_args

import pytest
from pyspark.sql import SparkSession

from conf.load import ResolvedConf
from conf.sections.ingest import RawTable
from features.contracts import IMPRESSIONS, ITEMS, JUDGMENTS, MARKET_PARAMETERS, QUARANTINE, QUERIES
from jobs.command.arguments import RAW_TABLES, job_parser, resolve_conf
from jobs.platform.runner import open_warehouse
from jobs.sources.guard import InputRefusedError
from tests.jobs.tiny_source import TABLES, Go, Market, rows, shown

MakeConf = Callable[..., ResolvedConf]
FIRST = Market(
    items=[("a", 1.0), ("b", 2.0), ("c", -1.0)],
    queries=[("q", "Lamp"), ("r", "rug")],
    shown=[("a", 1), ("b", 2), ("c", 2)],
    judged=[("a", 2), ("b", 1)],
)
SECOND = Market(
    items=[("a", 9.0), ("d", 1.0)],
    queries=[("q", "Lamp")],
    shown=[("a", 3)],
    judged=[("a", 0)],
)


def test_twice_leaves_the_same_rows_and_a_closed_source_is_mirrored(
    spark: SparkSession, make_conf: MakeConf, ingested: Go
) -> None:
    conf = make_conf("ingest.max_quarantined_share=0.9")
    reports = [ingested(FIRST, conf)]
    once = {t.name: rows(spark, conf, t, "*") for t in (*TABLES, MARKET_PARAMETERS)}
    reports.append(ingested(FIRST, conf))
    assert {t.name: rows(spark, conf, t, "*") for t in (*TABLES, MARKET_PARAMETERS)} == once
    for table in (ITEMS, QUERIES, IMPRESSIONS, JUDGMENTS):
        assert reports[1].outputs[table.name] == reports[0].outputs[table.name]
    counts = {c.table: (c.rows_in, c.rows_out, c.rows_quarantined) for c in reports[1].counts}
    assert counts == {
        "items": (3, 2, 1),
        "queries": (2, 2, 0),
        "impressions": (3, 2, 1),
        "judgments": (2, 2, 0),
        "quarantine": (2, 2, 0),
        "market_parameters": (1, 1, 0),
    }
    assert reports[1].details["quarantined"]["impressions"] == {"unknown_item": 1}
    assert rows(spark, conf, QUERIES, "query_text", "bucket") == [("Lamp", 4), ("rug", 4)]
    assert [str(r[0]) for r in rows(spark, conf, IMPRESSIONS, "event_date")] == [
        "2026-02-01",
        "2026-02-02",
    ]
    ingested(SECOND, conf)
    assert rows(spark, conf, ITEMS, "item_id", "price") == [("a", 9.0), ("d", 1.0)]
    assert rows(spark, conf, QUERIES, "query_id") == [("q",)]
    assert rows(spark, conf, JUDGMENTS, "item_id", "grade") == [("a", 0)]
    assert rows(spark, conf, IMPRESSIONS, "search_id") == [("page 03",)]
    assert rows(spark, conf, QUARANTINE, "rule") == []


def test_open_catalogue_keeps_what_the_log_refers_to(
    spark: SparkSession, make_conf: MakeConf, ingested: Go
) -> None:
    dates = ("run_date=2026-03-21", "features.training_days=1", "ingest.max_lag_days=null")
    conf = make_conf(*dates, "ingest.history_days=30")
    ingested(replace(FIRST, closed=False, shown=[("a", 19), ("b", 20)]), conf)
    later = replace(SECOND, closed=False, shown=[("b", 1), ("b", 20), ("d", 21)])
    allowed = frozenset({"items", "queries", "judgments"})
    narrow = make_conf(*dates, "ingest.history_days=29")
    report = ingested(later, replace(narrow, allow_shrink=allowed))
    assert [i for (i,) in rows(spark, conf, ITEMS, "item_id")] == ["a", "b", "d"]
    assert rows(spark, conf, JUDGMENTS, "item_id", "grade") == [("a", 0)]
    assert shown(spark, conf) == [("a", 19), ("b", 20), ("d", 21)]
    counts = {c.table: (c.rows_in, c.rows_out) for c in report.counts}
    assert counts["impressions"] == (2, 2)
    again = replace(later, shown=[("b", 20)], known=datetime(2026, 3, 9), clicked=False)
    report = ingested(again, narrow)
    known = rows(spark, conf, IMPRESSIONS, "search_id", "clicked", "clicked_known_at")
    assert ("page 20", True, datetime(2026, 2, 20, 12)) in known
    assert "1 clicks, carts or purchases that the source no longer has are kept" in report.notes[-1]


def test_allowing_to_shrink_leaves_the_conf_hash(make_conf: MakeConf) -> None:
    assert get_args(RawTable) == RAW_TABLES
    parser = job_parser("nightly", "")
    plain, allowed = (
        resolve_conf(parser.parse_args(["--set", "seed=1", *more]))
        for more in ([], ["--allow-shrink", "items", "--allow-shrink", "judgments"])
    )
    assert allowed.allow_shrink == {"items", "judgments"}
    assert allowed.hash == plain.hash
    with pytest.raises(SystemExit):
        job_parser("ingest", "").parse_args(["--allow-shrink", "scores"])
    with pytest.raises(SystemExit):
        job_parser("train", "").parse_args(["--allow-shrink", "items"])


def test_dry_run_counts_and_writes_nothing(
    spark: SparkSession, make_conf: MakeConf, ingested: Go
) -> None:
    conf = make_conf(dry_run=True)
    report = ingested(FIRST, conf)
    assert {c.table: c.rows_out for c in report.counts}["items"] == 2
    warehouse, _ = open_warehouse(spark, conf, "test")
    assert not any(warehouse.exists(t) for t in TABLES)


def test_source_without_rows(make_conf: MakeConf, ingested: Go) -> None:
    with pytest.raises(InputRefusedError, match=r"gives no queries; check that"):
        ingested(replace(FIRST, queries=[]), make_conf())
    with pytest.raises(InputRefusedError, match=r"gives neither impressions nor judgments"):
        ingested(replace(FIRST, shown=[], judged=[]), make_conf())
