"""Ingest end to end on tiny sources: once, twice, with changed and vanished rows, and dry."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, get_args

import pytest
from pyspark.sql import DataFrame, SparkSession

from conf.load import ResolvedConf, load_conf
from conf.sections.ingest import RawTable
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
from jobs.command.arguments import RAW_TABLES, job_parser, resolve_conf
from jobs.platform.report import JobReport
from jobs.platform.runner import open_warehouse, run_job
from jobs.sources import reading
from jobs.sources.base import RawFrames
from jobs.sources.guard import InputRefusedError

MakeConf = Callable[..., ResolvedConf]
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


Go = Callable[[Market, ResolvedConf], JobReport]


@pytest.fixture(scope="module")
def ingested(spark: SparkSession) -> Iterator[Go]:
    """Runs ingest with a source that gives the rows of a Market."""
    with pytest.MonkeyPatch.context() as patch:

        def go(market: Market, conf: ResolvedConf) -> JobReport:
            @dataclass(frozen=True)
            class Source:
                def read(self, spark: SparkSession, conf: ResolvedConf) -> RawFrames:
                    return market.frames(spark)

            patch.setattr(reading, "load_adapter", lambda kind: Source())
            return run_job(ingest.JOB, spark, conf)

        yield go


def rows(spark: SparkSession, conf: ResolvedConf, table: Table, *columns: str) -> list[tuple]:
    warehouse, _ = open_warehouse(spark, conf, "test")
    return sorted(tuple(r) for r in warehouse.read(table).select(*columns).collect())


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


SHOP = Market(
    items=[("a", 1.0), ("b", 2.0), ("c", 3.0)],
    queries=[("q", "Lamp"), ("r", "rug"), ("s", "sofa")],
    shown=[("a", 26), ("b", 26), ("a", 27), ("b", 27), ("a", 28), ("b", 28)],
    judged=[("a", 2), ("b", 1), ("c", 0)],
    closed=False,
)
"""A team's source on the night of 1 March."""


@pytest.fixture(scope="module")
def first_night(ingested: Go, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The root of a night that read SHOP."""
    root = tmp_path_factory.mktemp("first") / "warehouse"
    market = ("run_date=2026-03-01", "source.kind=simulated")
    ingested(SHOP, load_conf(settings=[f"storage.root={root}", *market]))
    return root


@pytest.fixture
def second_conf(first_night: Path, make_conf: MakeConf) -> MakeConf:
    """`make_conf` over a copy of the first night's root."""
    shutil.copytree(first_night, make_conf().tree.storage.root)
    return make_conf


def shown(spark: SparkSession, conf: ResolvedConf) -> list[tuple[str, int]]:
    days = rows(spark, conf, IMPRESSIONS, "item_id", "event_date")
    return sorted(((item, day.day) for item, day in days), key=lambda row: (row[1], row[0]))


OUTAGES = {
    "empty and late": (
        {"judged": [], "shown": SHOP.shown[:4], "items": SHOP.items[:2]},
        r"items: 1 of 3 rows of the last run are gone \(33%\), more than "
        r"ingest.max_lost_share.items = 20%; .*--allow-shrink items where it is meant.*"
        r"judgments: no rows now, 3 rows in the table.*"
        r"impressions: the newest day of the log is 2026-02-27, 1 days before 2026-02-28",
    ),
    "cut off": (
        {"judged": [("a", 2)], "shown": [], "queries": SHOP.queries[:2]},
        r"queries: 1 of 3 rows of the last run are gone.*"
        r"impressions: no rows now, 6 rows in the table.*"
        r"judgments: 2 of 3 rows in the table are gone \(67%\)",
    ),
    "a day within the log": (
        {"shown": SHOP.shown[:2] + SHOP.shown[4:]},
        r"impressions: 2 of 6 rows of 2026-02-26 to 2026-02-28 in the table are gone \(33%\)",
    ),
}


def test_an_outage_stops_the_run_before_anything_is_written(
    spark: SparkSession, second_conf: MakeConf, ingested: Go
) -> None:
    conf = second_conf()
    warehouse, _ = open_warehouse(spark, conf, "test")
    before = {table.name: warehouse.read_version(table) for table in TABLES}
    for change, message in OUTAGES.values():
        with pytest.raises(InputRefusedError, match=f"nothing was written: {message}") as told:
            ingested(replace(SHOP, **change), conf)
        assert told.value.exit_code == 3
    assert {table.name: warehouse.read_version(table) for table in TABLES} == before


def test_what_is_meant_to_shrink_may_and_the_next_night_is_quiet(
    spark: SparkSession, second_conf: MakeConf, ingested: Go
) -> None:
    conf = second_conf()
    middle_day_gone = SHOP.shown[:2] + SHOP.shown[4:]
    less = replace(SHOP, items=SHOP.items[:2], judged=[("a", 2)], shown=middle_day_gone)
    meant = frozenset({"items", "judgments", "impressions"})
    report = ingested(less, replace(conf, allow_shrink=meant))
    assert "judgments: 2 of 3 rows in the table are no longer in the source" in report.notes
    assert rows(spark, conf, JUDGMENTS, "item_id") == [("a",)]
    assert shown(spark, conf) == [("a", 26), ("b", 26), ("a", 28), ("b", 28)]
    assert len(rows(spark, conf, ITEMS, "item_id")) == 3
    ingested(less, conf)


def test_rows_stay_where_their_new_version_is_quarantined(
    spark: SparkSession, second_conf: MakeConf, ingested: Go
) -> None:
    conf = second_conf("ingest.max_quarantined_share=1")
    broken = replace(
        SHOP,
        items=[("a", -1.0), *SHOP.items[1:]],
        judged=[("a", 7), *SHOP.judged[1:]],
        wrong_days=(27,),
    )
    report = ingested(broken, conf)
    assert rows(spark, conf, ITEMS, "item_id", "price")[0] == ("a", 1.0)
    assert rows(spark, conf, JUDGMENTS, "item_id", "grade") == SHOP.judged
    assert shown(spark, conf) == SHOP.shown
    assert report.details["stayed"] == {"items": 1, "impressions": 2, "judgments": 1}
    counts = {c.table: (c.rows_in, c.rows_out, c.rows_quarantined) for c in report.counts}
    assert counts["judgments"] == (3, 2, 1)
    assert counts["impressions"] == (6, 4, 2)
    closed = replace(broken, closed=True)
    ingested(closed, conf)
    assert rows(spark, conf, ITEMS, "item_id", "price")[0] == ("a", 1.0)
    assert rows(spark, conf, JUDGMENTS, "item_id", "grade") == SHOP.judged
    assert shown(spark, conf) == SHOP.shown


def test_yesterday_alone_replaces_yesterday_alone(
    spark: SparkSession, second_conf: MakeConf, ingested: Go
) -> None:
    conf = second_conf()
    yesterday = replace(
        SHOP, shown=[("b", 28), ("c", 28)], queries=[("q", "Lamp")], derived=(QUERIES,)
    )
    ingested(yesterday, second_conf("ingest.max_lost_share.impressions=0.5"))
    assert shown(spark, conf) == [*SHOP.shown[:4], ("b", 28), ("c", 28)]


def test_a_thin_yesterday_is_held_against_the_stored_week(
    make_conf: MakeConf, ingested: Go
) -> None:
    week = [(item, day) for day in range(20, 28) for item in "abc"]
    first = ingested(replace(SHOP, shown=week), make_conf("run_date=2026-02-28"))
    assert not any("cut off" in warning for warning in first.warnings)
    second = ingested(replace(SHOP, shown=[("a", 28)]), make_conf("run_date=2026-03-01"))
    assert [warning for warning in second.warnings if "cut off" in warning] == [
        "impressions: 2026-02-28, the newest day of the log, has 1 rows, the days before it 3 in "
        "the median: it may have been cut off"
    ]


def test_of_an_incremental_source_nothing_is_removed(
    spark: SparkSession, second_conf: MakeConf, ingested: Go
) -> None:
    conf = second_conf("ingest.incremental=[impressions, judgments]")
    ingested(replace(SHOP, shown=[("c", 26), ("b", 28)], judged=[("a", 0)]), conf)
    assert shown(spark, conf) == sorted([*SHOP.shown, ("c", 26)], key=lambda row: (row[1], row[0]))
    assert rows(spark, conf, JUDGMENTS, "item_id", "grade") == [("a", 0), *SHOP.judged[1:]]
    with pytest.raises(InputRefusedError, match="impressions: no rows now"):
        ingested(replace(SHOP, shown=[], judged=[]), conf)


def test_an_earlier_run_date_reads_as_of_its_day_and_removes_and_changes_nothing(
    spark: SparkSession, second_conf: MakeConf, ingested: Go
) -> None:
    conf = second_conf()
    market = replace(SHOP, judged_on=(("b", 27), ("c", 27)))
    earlier = replace(
        market, items=[("a", 9.0)], shown=[("a", 25), ("a", 26), ("b", 28)], judged=[("b", 0)]
    )
    report = ingested(earlier, second_conf("run_date=2026-02-27"))
    assert shown(spark, conf) == [("a", 25), *SHOP.shown]
    assert rows(spark, conf, JUDGMENTS, "item_id", "grade") == SHOP.judged
    assert rows(spark, conf, ITEMS, "item_id", "price")[0] == ("a", 1.0)
    assert any("have served 2026-03-01: this earlier run date" in w for w in report.warnings)
    ingested(market, conf)
    assert shown(spark, conf) == [("a", 25), *SHOP.shown]


def test_nothing_is_removed_where_a_line_may_be_any_row(
    spark: SparkSession, second_conf: MakeConf, ingested: Go
) -> None:
    conf = second_conf("ingest.max_lost_share.judgments=0.5")
    torn = replace(SHOP, judged=SHOP.judged[:2], unreadable=1)
    report = ingested(torn, conf)
    assert rows(spark, conf, JUDGMENTS, "item_id", "grade") == SHOP.judged
    assert any("judgments: 1 lines cannot be read" in note for note in report.notes)
    ingested(replace(torn, unreadable=0), conf)
    assert rows(spark, conf, JUDGMENTS, "item_id", "grade") == SHOP.judged[:2]


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
