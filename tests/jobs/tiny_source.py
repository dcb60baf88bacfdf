"""A source of a few rows, ingest of it, and what the tables then hold."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

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
from features.quality.typed import MALFORMED
from jobs import ingest
from jobs.platform.report import JobReport
from jobs.platform.runner import open_warehouse, run_job
from jobs.sources import reading
from jobs.sources.base import RawFrames

PARAMETERS = "select 'a' as name, 1D as value, '' as meaning"
TABLES = (ITEMS, QUERIES, IMPRESSIONS, JUDGMENTS, QUARANTINE)


@dataclass(frozen=True)
class Market:
    """Rows of a source: (item_id, price), (query_id, text), (item_id, day), (item_id, grade).

    A price below 0, a grade above 2 and a day among `wrong_days` break a rule. `judged_on` gives
    the day of February on which an item was judged; `unreadable` lines of judgments do not parse.
    `known` is when the log rows were sent; None: as the pages were shown.
    """

    items: list[tuple[str, float]]
    queries: list[tuple[str, str]]
    shown: list[tuple[str, int]]
    judged: list[tuple[str, int]]
    closed: bool = True
    known: datetime | None = None
    clicked: bool = True
    wrong_days: tuple[int, ...] = ()
    judged_on: tuple[tuple[str, int], ...] = ()
    unreadable: int = 0
    derived: tuple[Table, ...] = ()

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
                f"int(day(event_time) not in ({', '.join(map(str, (0, *self.wrong_days)))})) "
                "as position",
                f"timestamp'{self.known}' as known_at" if self.known else "event_time as known_at",
                "1.5D as price",
                f"{self.clicked} as clicked",
                "false as carted",
                "false as purchased",
                *origin,
            ),
            judgments=_frame(
                spark,
                [*self._judgments(), *[(None,) * 3 + ("?",)] * self.unreadable],
                f"item_id string, grade int, judged_at timestamp, {MALFORMED} string",
            ).selectExpr("*", "'q' as query_id", "'human' as source", *origin),
            extras={MARKET_PARAMETERS: spark.sql(PARAMETERS)} if self.closed else {},
            closed=self.closed,
            derived=self.derived,
        )

    def _judgments(self) -> list[tuple[Any, ...]]:
        days = {item: datetime(2026, 2, day, 12) for item, day in self.judged_on}
        return [(item, grade, days.get(item), None) for item, grade in self.judged]


def _frame(spark: SparkSession, rows: list[tuple[object, ...]], schema: str) -> DataFrame:
    return spark.createDataFrame(rows, schema)


Go = Callable[[Market, ResolvedConf], JobReport]


def ingest_market(spark: SparkSession, market: Market, conf: ResolvedConf) -> JobReport:
    """Run ingest with a source that gives the rows of the market."""

    @dataclass(frozen=True)
    class Source:
        def read(self, spark: SparkSession, conf: ResolvedConf) -> RawFrames:
            return market.frames(spark)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "load_adapter", lambda kind: Source())
        return run_job(ingest.JOB, spark, conf)


def rows(spark: SparkSession, conf: ResolvedConf, table: Table, *columns: str) -> list[tuple]:
    warehouse, _ = open_warehouse(spark, conf, "test")
    return sorted(tuple(r) for r in warehouse.read(table).select(*columns).collect())


def shown(spark: SparkSession, conf: ResolvedConf) -> list[tuple[str, int]]:
    days = rows(spark, conf, IMPRESSIONS, "item_id", "event_date")
    return sorted(((item, day.day) for item, day in days), key=lambda row: (row[1], row[0]))
