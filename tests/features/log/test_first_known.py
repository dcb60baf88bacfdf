"""A log that comes once, night by night, or whole every night gives the same features."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import pytest
from chispa import assert_df_equality
from pyspark.sql import DataFrame, SparkSession

from conf.load import ResolvedConf
from features.contracts import IMPRESSIONS
from features.log.first_known import EVENTS, WITHDRAWN, over_runs, with_events_known
from features.log.history import ENGAGEMENT, daily_counts, effective_events, sum_windows
from features.quality.tables import References, checked_impressions
from features.quality.verdicts import select_accepted
from features.query import daily_pages

MakeConf = Callable[..., ResolvedConf]
TableFrame = Callable[..., DataFrame]
NIGHTS = range(10, 17)


def day(number: int, hour: int = 0) -> datetime:
    return datetime(2026, 2, number, hour)


@dataclass(frozen=True)
class Truth:
    """A page and item: when it was shown and known, and when each event was (and happened)."""

    search: str
    item: str
    shown: datetime
    known: datetime
    events: dict[str, datetime] = field(default_factory=dict)
    times: dict[str, datetime] = field(default_factory=dict)

    def row(self, before: datetime, own: bool, sent: datetime | None = None) -> dict[str, Any]:
        """The row as its source sends it once all before a time is known.

        Args:
            own: whether each event has its own known-at; else the row's is its last change.
            sent: known-at of a row that is sent again though nothing changed.
        """
        there = {e: at for e, at in self.events.items() if at < before}
        row: dict[str, Any] = {event: event in there for event in EVENTS}
        row |= {f"{e}_at": at for e, at in self.times.items() if e in there}
        row |= {f"{e}_known_at": at for e, at in there.items() if own}
        changed = max([self.known, *there.values()])
        row |= {"search_id": self.search, "item_id": self.item, "event_time": self.shown}
        return row | {"known_at": sent or (self.known if own else changed)}


TRUTH = (
    Truth(  # the cart comes four days after the click
        "p1", "a", day(9, 8), day(9, 9), {"clicked": day(9, 9), "carted": day(14, 3)},
        {"carted": day(14, 2)},
    ),
    Truth("p1", "b", day(9, 8), day(9, 9), {"clicked": day(12, 1)}),  # the click comes late
    Truth(  # a purchase that the log learns of a day late
        "p2", "a", day(11, 8), day(11, 9),
        {"clicked": day(11, 9), "carted": day(11, 10), "purchased": day(14, 1)},
        {"carted": day(11, 9), "purchased": day(13, 5)},
    ),
    Truth("p3", "b", day(12, 23), day(13, 1)),  # the page itself comes late
)  # fmt: skip


def known_by(night: int) -> Sequence[Truth]:
    return [truth for truth in TRUTH if truth.known < day(night)]


def sent_again(night: int) -> list[dict[str, Any]]:
    """Every row, every night, stamped with the time of the sending."""
    return [t.row(day(night), own=False, sent=day(night - 1, 23)) for t in known_by(night)]


def grown(night: int) -> list[dict[str, Any]]:
    """A log to which every change of a row is added as a row more."""
    changes = [(t, at) for t in known_by(night) for at in {t.known, *t.events.values()}]
    return [t.row(at + (day(2) - day(1)) / 24, own=False) for t, at in changes if at < day(night)]


def changed(night: int) -> list[dict[str, Any]]:
    """Only the rows of which something became known since the night before."""
    rows = [t.row(day(night), own=False) for t in known_by(night)]
    return [row for row in rows if row["known_at"] >= day(night - 1) or night == NIGHTS[0]]


WAYS = (sent_again, changed)


def sent_by(way: Callable[[int], list[dict[str, Any]]], night: int) -> list[dict[str, Any]]:
    """The rows of a night; each way of delivery has pages and a query of its own."""
    name = way.__name__
    rows = way(night)
    return [r | {"query_id": name, "search_id": f"{name} {r['search_id']}"} for r in rows]


def once(night: int) -> list[dict[str, Any]]:
    """The log in one delivery, each event with its own known-at."""
    return [t.row(day(night), own=True) for t in TRUTH]


@pytest.fixture
def delivered_once(
    spark: SparkSession, make_conf: MakeConf, table_frame: TableFrame
) -> dict[str, list[dict[str, Any]]]:
    """Checked rows of logs that come whole on the last night, by the way in which they hold it."""
    rows = [*sent_by(once, NIGHTS[-1]), *sent_by(grown, NIGHTS[-1])]
    known = References(
        spark.createDataFrame([("a",), ("b",)], "item_id string"),
        spark.createDataFrame(
            [(w, "us") for w in ("once", "grown")], "query_id string, region string"
        ),
    )
    raw = table_frame(IMPRESSIONS, rows, region="us", position=1, price=1.0, dataset="test")
    run_date = date(2026, 2, NIGHTS[-1])
    checked = checked_impressions(raw, make_conf("regions=[us]").tree, run_date, known)
    passed = [
        r.asDict() for r in select_accepted(checked).select(*IMPRESSIONS.column_names).collect()
    ]
    return {name: [r for r in passed if r["query_id"] == name] for name in ("once", "grown")}


@pytest.fixture
def stored_by_night(
    spark: SparkSession, table_frame: TableFrame
) -> dict[int, list[dict[str, Any]]]:
    """The stored log after each night of the logs that come night by night."""
    nights: dict[int, list[dict[str, Any]]] = {}
    stored: list[dict[str, Any]] = []
    for night in NIGHTS:
        rows = [row for way in WAYS for row in sent_by(way, night)]
        new = table_frame(IMPRESSIONS, rows).transform(with_events_known)
        merged = over_runs(new, table_frame(IMPRESSIONS, stored), keep=True).drop(WITHDRAWN)
        given = [row.asDict() for row in merged.collect()]
        keys = {(row["search_id"], row["item_id"]) for row in given}
        stay = [row for row in stored if (row["search_id"], row["item_id"]) not in keys]
        stored = nights[night] = given + stay
    return nights


def features(log: DataFrame, spine: DataFrame) -> DataFrame:
    """The sums that all engagement features are made of, as of the days of the spine."""
    keys = ["query_id", "item_id"]
    daily = daily_counts(effective_events(log), keys, ENGAGEMENT)
    pages = sum_windows(daily_pages(log), spine, ["query_id"], ["pages"], [7])
    counts = sum_windows(daily, spine, keys, ENGAGEMENT, [1, 7])
    return counts.join(pages, on=["query_id", "day"], how="inner")


def test_each_way_of_delivery_gives_the_same_features_as_of_every_day(
    spark: SparkSession,
    delivered_once: dict[str, list[dict[str, Any]]],
    stored_by_night: dict[int, list[dict[str, Any]]],
    table_frame: TableFrame,
) -> None:
    found = {("grown", NIGHTS[-1]): delivered_once["grown"]}
    for night, rows in stored_by_night.items():
        for way in WAYS:
            found[way.__name__, night] = [r for r in rows if r["query_id"] == way.__name__]
    asked = [
        (f"{way} {night}", item, date(2026, 2, number))
        for way, night in found
        for item in "ab"
        for number in (NIGHTS if night == NIGHTS[-1] else [night])  # the last one looks back
    ]
    spine = spark.createDataFrame(asked, "query_id string, item_id string, day date")

    def log(rows_of: Callable[[tuple[str, int]], list[dict[str, Any]]]) -> DataFrame:
        named = [row | {"query_id": f"{k[0]} {k[1]}"} for k in found for row in rows_of(k)]
        return table_frame(IMPRESSIONS, named)

    wanted = features(log(lambda key: delivered_once["once"]), spine)
    one = wanted.where("query_id = 'grown 16' and item_id = 'a'").orderBy("day")
    assert [tuple(row) for row in one.select("clicks_7d", "carts_7d").collect()] == [
        (1, 0), (1, 0), (2, 1), (2, 1), (2, 1), (2, 2), (2, 2),
    ]  # fmt: skip
    got = features(log(found.__getitem__), spine)
    assert_df_equality(got, wanted, ignore_row_order=True, ignore_nullable=True)


def stored_and_new(frame: TableFrame) -> tuple[DataFrame, DataFrame]:
    times = {"event_time": day(9), "known_at": day(9)}
    cart = {"clicked": True, "carted": True, "carted_at": day(14), "carted_known_at": day(14, 1)}
    old = [
        {"search_id": "bot", "clicked": True, "clicked_known_at": day(10), **times},
        {"search_id": "before the columns", **times, **cart, "carted_known_at": None},
        {"search_id": "cart", **times, **cart},
    ]
    new = [{"search_id": row["search_id"], **times} for row in old]
    new += [{"search_id": "new", "clicked": True, **times, "clicked_known_at": day(9)}]
    return frame(IMPRESSIONS, old), frame(IMPRESSIONS, new)


def test_an_event_that_the_source_withdraws_is_kept_or_removed(table_frame: TableFrame) -> None:
    stored, new = stored_and_new(table_frame)
    columns = ("clicked", "carted", "carted_at", "carted_known_at", WITHDRAWN)

    def merged(keep: bool) -> dict[str, tuple[Any, ...]]:
        rows = over_runs(new, stored, keep).select("search_id", *columns).collect()
        return {row[0]: tuple(row)[1:] for row in rows}

    fresh = {"new": (True, False, None, None, 0)}
    assert (
        merged(keep=True)
        == {
            "bot": (True, False, None, None, 1),
            "before the columns": (True, True, day(14), day(14), 2),
            "cart": (True, True, day(14), day(14, 1), 2),
        }
        | fresh
    )
    gone = (False, False, None, None)
    assert (
        merged(keep=False)
        == {
            "bot": (*gone, 1),
            "before the columns": (*gone, 2),
            "cart": (*gone, 2),
        }
        | fresh
    )
