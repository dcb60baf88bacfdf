"""Ingest end to end on tiny sources: once, twice, with changed and vanished rows, and dry."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

import pytest
from pyspark.sql import DataFrame, SparkSession

from conf.load import ResolvedConf
from features.contracts import (
    IMPRESSIONS,
    ITEMS,
    JUDGMENTS,
    MARKET_PARAMETERS,
    QUARANTINE,
    QUERIES,
    Table,
)
from jobs import ingest
from jobs.platform.report import JobReport
from jobs.platform.runner import open_warehouse
from jobs.sources import reading
from jobs.sources.base import RawFrames, SourceError

MakeConf = Callable[..., ResolvedConf]
PARAMETERS = "select 'a' as name, 1D as value, '' as meaning"
TABLES = (ITEMS, QUERIES, IMPRESSIONS, JUDGMENTS, QUARANTINE)


@dataclass(frozen=True)
class Market:
    """Rows of a source: (item_id, price), (query_id, text), (item_id, day), (item_id, grade).

    `known` is when the log rows were sent; None: as the pages were shown.
    """

    items: list[tuple[str, float]]
    queries: list[tuple[str, str]]
    shown: list[tuple[str, int]]
    judged: list[tuple[str, int]]
    closed: bool = True
    known: datetime | None = None
    clicked: bool = True

    def frames(self, spark: SparkSession) -> RawFrames:
        """The raw frames: pages of query q in region us in February 2026."""
        origin = ("'tiny' as dataset", "true as simulated")
        times = [(item, datetime(2026, 2, day, 12)) for item, day in self.shown]
        return RawFrames(
            items=_frame(spark, self.items, "item_id string, price double").selectExpr(
                "*", "concat('title ', item_id) as title", *origin
            ),
            queries=_frame(spark, self.queries, "query_id string, query_text string").selectExpr(
                "*", "'us' as region", *origin
            ),
            impressions=_frame(spark, times, "item_id string, event_time timestamp").selectExpr(
                "*",
                "concat('page ', date_format(event_time, 'dd')) as search_id",
                "'q' as query_id",
                "'us' as region",
                "1 as position",
                f"timestamp'{self.known}' as known_at" if self.known else "event_time as known_at",
                "1.5D as price",
                f"{self.clicked} as clicked",
                "false as carted",
                "false as purchased",
                *origin,
            ),
            judgments=_frame(spark, self.judged, "item_id string, grade int").selectExpr(
                "*", "'q' as query_id", "'human' as source", *origin
            ),
            extras={MARKET_PARAMETERS: spark.sql(PARAMETERS)} if self.closed else {},
            closed=self.closed,
        )


def _frame(spark: SparkSession, rows: list[tuple[object, ...]], schema: str) -> DataFrame:
    return spark.createDataFrame(rows, schema)


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


@pytest.fixture
def ingested(
    spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Market, ResolvedConf], JobReport]:
    """Runs ingest with a source that gives the rows of a Market."""

    def go(market: Market, conf: ResolvedConf) -> JobReport:
        @dataclass(frozen=True)
        class Source:
            def read(self, spark: SparkSession, conf: ResolvedConf) -> RawFrames:
                return market.frames(spark)

        monkeypatch.setattr(reading, "load_adapter", lambda kind: Source())
        return ingest.run(spark, conf)

    return go


def rows(spark: SparkSession, conf: ResolvedConf, table: Table, *columns: str) -> list[tuple]:
    warehouse, _ = open_warehouse(spark, conf, "test")
    return sorted(tuple(r) for r in warehouse.read(table).select(*columns).collect())


Go = Callable[[Market, ResolvedConf], JobReport]


def test_twice_leaves_the_same_rows_and_a_closed_source_is_mirrored(
    spark: SparkSession, make_conf: MakeConf, ingested: Go
) -> None:
    conf = make_conf("ingest.max_quarantined_share=0.9")
    reports = [ingested(FIRST, conf)]
    once = {t.name: rows(spark, conf, t, "*") for t in (*TABLES, MARKET_PARAMETERS)}
    reports.append(ingested(FIRST, conf))
    assert {t.name: rows(spark, conf, t, "*") for t in (*TABLES, MARKET_PARAMETERS)} == once
    for name, version in reports[1].outputs.items():
        assert int(version) - int(reports[0].outputs[name]) <= 1
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
    dates = ("run_date=2026-03-21", "features.training_days=1")
    conf = make_conf(*dates, "ingest.history_days=30")
    ingested(replace(FIRST, closed=False, shown=[("a", 19), ("b", 20)]), conf)
    later = replace(SECOND, closed=False, shown=[("b", 1), ("b", 20), ("d", 21)])
    report = ingested(later, make_conf(*dates, "ingest.history_days=29"))
    assert [i for (i,) in rows(spark, conf, ITEMS, "item_id")] == ["a", "b", "d"]
    assert rows(spark, conf, JUDGMENTS, "item_id", "grade") == [("a", 0)]
    shown = rows(spark, conf, IMPRESSIONS, "search_id", "item_id")
    assert shown == [("page 19", "a"), ("page 20", "b"), ("page 21", "d")]
    counts = {c.table: (c.rows_in, c.rows_out) for c in report.counts}
    assert counts["impressions"] == (2, 2)
    again = replace(later, shown=[("b", 20)], known=datetime(2026, 3, 9), clicked=False)
    report = ingested(again, make_conf(*dates, "ingest.history_days=29"))
    known = rows(spark, conf, IMPRESSIONS, "search_id", "clicked", "clicked_known_at")
    assert ("page 20", True, datetime(2026, 2, 20, 12)) in known
    assert "1 clicks, carts or purchases that the source has no more are kept" in report.notes[-1]


def test_dry_run_counts_and_writes_nothing(
    spark: SparkSession, make_conf: MakeConf, ingested: Go
) -> None:
    conf = make_conf(dry_run=True)
    report = ingested(FIRST, conf)
    assert {c.table: c.rows_out for c in report.counts}["items"] == 2
    warehouse, _ = open_warehouse(spark, conf, "test")
    assert not any(warehouse.exists(t) for t in TABLES)


def test_source_without_rows(make_conf: MakeConf, ingested: Go) -> None:
    with pytest.raises(SourceError, match=r"gives no queries; check that"):
        ingested(replace(FIRST, queries=[]), make_conf())
    with pytest.raises(SourceError, match=r"gives neither impressions nor judgments"):
        ingested(replace(FIRST, shown=[], judged=[]), make_conf())
