"""Night after night: an outage stops the run, what is meant to shrink may, other rows stay."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from conf.load import ResolvedConf, load_conf
from features.contracts import ITEMS, JUDGMENTS, QUERIES
from jobs.platform.runner import open_warehouse
from jobs.sources.guard import InputRefusedError
from tests.jobs.tiny_source import TABLES, Go, Market, rows, shown

MakeConf = Callable[..., ResolvedConf]
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
