"""Labels, point-in-time counts and list features on a few sessions worked out by hand."""

import math
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from conf.load import ResolvedConf
from features.quality.verdicts import by_rule, select_accepted
from features.trivago.actions import ACTIONS, checked_actions
from features.trivago.declarations import FEATURES
from features.trivago.features import (
    OTHER,
    known_before,
    largest_sites,
    with_features,
    with_history,
)
from features.trivago.rows import engagements_of, impression_rows, pages_of

CLICK, IMAGE, SEARCH = "clickout item", "interaction item image", "search for item"
RUN = date(2018, 11, 9)
PRIOR = 20.0


def action(
    user: str, session: str, second: int, step: int, kind: str, reference: str, **more: Any
) -> dict[str, Any]:
    row = {
        "user_id": user,
        "session_id": session,
        "timestamp": second,
        "step": step,
        "action_type": kind,
        "reference": reference,
        "platform": "FR",
        "city": "Paris",
        "device": "mobile",
    }
    return row | more


LIST = {"impressions": "a|b|c", "prices": "10|20|20"}
LOG = [
    # An earlier session: a is clicked at 100; what happens from 100 on is not before 100.
    action("u1", "s1", 90, 1, IMAGE, "b"),
    action("u1", "s1", 100, 2, CLICK, "a", **LIST),
    # u2: b by image and c by search before the click on b, a only after it.
    action("u2", "s2", 100, 1, IMAGE, "b", device="desktop"),
    action("u2", "s2", 150, 2, SEARCH, "c", device="desktop"),
    action("u2", "s2", 200, 3, CLICK, "b", **LIST, current_filters="x|y", device="desktop"),
    action("u2", "s2", 200, 4, IMAGE, "a", device="desktop"),
    # u3 starts a second after u1's click, on another site.
    action("u3", "s3", 101, 1, CLICK, "c", **LIST, platform="DE"),
]


@pytest.fixture(scope="module")
def frame(spark: SparkSession) -> Callable[..., DataFrame]:
    """Actions as a frame of the contract's columns."""
    schema = ", ".join(f"`{c.name}` {c.type}" for c in ACTIONS.columns)

    def make(rows: list[dict[str, Any]]) -> DataFrame:
        values = [tuple(row.get(name) for name in ACTIONS.column_names) for row in rows]
        return spark.createDataFrame(values, schema).coalesce(1)

    return make


Rows = dict[tuple[str, str], Row]


def labelled(actions: DataFrame, by_click: bool = False) -> DataFrame:
    rows = impression_rows(pages_of(actions), engagements_of(actions), by_click)
    return rows.withColumn("split", F.lit("train"))


def featured(actions: DataFrame) -> Rows:
    rows, engagements = labelled(actions).persist(), engagements_of(actions).persist()
    made = with_features(with_history(rows, engagements), ["DE", OTHER], PRIOR)
    return by_key(made)


def by_key(rows: DataFrame) -> Rows:
    return {(r["session_id"], r["item_id"]): r for r in rows.collect()}


@pytest.fixture(scope="module")
def log(frame: Callable[..., DataFrame]) -> Rows:
    """The rows of LOG by session and item."""
    return featured(frame(LOG))


def values(row: Row, *names: str) -> tuple[Any, ...]:
    return tuple(row[name] for name in names)


def test_engaged_means_before_the_click_and_by_step_within_a_second(log: Rows) -> None:
    names = ("label_engaged", "label_clickout", "position")
    assert {item: values(log["s2", item], *names) for item in "abc"} == {
        "a": (0, 0, 1),
        "b": (1, 1, 2),
        "c": (1, 0, 3),
    }
    assert log["s1", "a"]["label_engaged"] == 0


def test_a_click_may_count_as_engagement(frame: Callable[..., DataFrame]) -> None:
    rows = by_key(labelled(frame(LOG), by_click=True))
    assert [rows["s1", item]["label_engaged"] for item in "abc"] == [1, 1, 0]


def test_history_ends_before_the_session_starts(log: Rows) -> None:
    # s2 starts in the second of the click on a: not yet known; the image of b at 90 is.
    assert log["s2", "a"]["item_clickouts"] == 0
    assert log["s2", "b"]["item_engagements"] == pytest.approx(math.log(2))
    # s3 starts a second later.
    assert log["s3", "a"]["item_clickouts"] == pytest.approx(math.log(2))
    assert log["s3", "a"]["item_ctr"] == pytest.approx((1 + PRIOR / 25) / (1 + PRIOR))
    assert log["s3", "b"]["item_impressions"] == pytest.approx(math.log(2))
    assert log["s3", "b"]["item_engagements"] == pytest.approx(math.log(3))  # s1's and s2's
    elsewhere = values(log["s3", "a"], "item_site_clickouts", "site_clickouts", "city_clickouts")
    assert elsewhere == pytest.approx((0, 0, math.log(2)))


def test_list_features_by_hand(log: Rows) -> None:
    mean = (math.log(10) + 2 * math.log(20)) / 3
    spread = math.sqrt(2 / 9) * math.log(2)
    expected = {"a": (0.0, math.log(10) - mean), "b": (0.5, math.log(20) - mean)}
    for item, prices in expected.items():
        row = log["s2", item]
        found = values(row, "price_rank", "price_vs_list", "list_price_spread")
        assert found == pytest.approx((*prices, spread), abs=1e-5)
        assert row["filters"] == pytest.approx(math.log(3))
        assert values(row, "list_length", "region_index", "device", "region") == (3, 2, 1, OTHER)
    assert values(log["s3", "a"], "region", "region_index") == ("DE", 1)


def test_the_future_changes_no_feature(log: Rows, frame: Callable[..., DataFrame]) -> None:
    """What comes in or after a session, its own clicks and engagements too, is no feature of it."""
    changed = [
        action("u1", "s1", 100, 2, CLICK, "c", **LIST),  # now c is clicked
        action("u2", "s2", 140, 2, IMAGE, "a", device="desktop"),
        action("u2", "s2", 200, 3, CLICK, "a", **LIST, current_filters="x|y", device="desktop"),
        action("u4", "s4", 100, 1, CLICK, "b", **LIST),
    ]
    after = featured(frame([LOG[0], LOG[2], *changed]))
    names = [feature.name for feature in FEATURES]
    for key in [(session, item) for session in ("s1", "s2") for item in "abc"]:
        assert values(log[key], *names) == values(after[key], *names)
    assert log["s1", "c"]["label_clickout"] != after["s1", "c"]["label_clickout"]


def test_sums_are_over_what_came_strictly_before(spark: SparkSession) -> None:
    events = spark.createDataFrame(
        [("a", 1, 5), ("a", 1, 2), ("a", 3, 10), ("b", 1, 9)], "item_id string, second long, n long"
    )
    rows = spark.createDataFrame(
        [("a", 1), ("a", 2), ("a", 3), ("a", 9), ("a", 9), ("c", 9)],
        "item_id string, session_start long",
    )
    found = known_before(events, rows, ["item_id"], ["n"], "item").collect()
    assert sorted(tuple(r) for r in found) == [
        ("a", 1, 0),
        ("a", 2, 7),
        ("a", 3, 7),
        ("a", 9, 17),
        ("c", 9, 0),
    ]


def test_largest_sites_count_training_sessions(frame: Callable[..., DataFrame]) -> None:
    rows = labelled(frame(LOG))
    assert [r["site"] for r in largest_sites(rows, 1).collect()] == ["FR"]
    held = rows.withColumn("split", F.when(F.col("site") == "FR", "test").otherwise("train"))
    assert [r["site"] for r in largest_sites(held, 5).collect()] == ["DE"]


def test_broken_actions_are_quarantined_with_their_rule(
    frame: Callable[..., DataFrame], make_conf: Callable[..., ResolvedConf]
) -> None:
    broken = [
        action("u5", "s5", 1, 1, CLICK, "a"),
        action("u5", "s5", 2, 2, CLICK, "a", impressions="a|b", prices="1"),
        action("u5", "s5", 3, 3, CLICK, "a", impressions="a|a", prices="1|2"),
        action("u5", "s5", 4, 4, CLICK, "a", impressions="a|b", prices="1|free"),
        action("u5", "s5", 5, 5, CLICK, "z", **LIST),
        action("u5", "s5", 6, 6, "dance", "a"),
        action("u5", "s5", 1_541_721_600, 7, IMAGE, "a"),
        action("u5", "", 8, 8, IMAGE, "a"),
        LOG[0],
    ]
    checked = checked_actions(frame([*LOG, *broken]), make_conf().tree, RUN)
    assert by_rule(checked) == {
        "click_off_list": 1,
        "duplicate_key": 1,
        "event_after_run_date": 1,
        "item_twice": 1,
        "list_lengths": 1,
        "no_list": 1,
        "null_key": 1,
        "price_positive": 1,
        "unknown_action": 1,
    }
    assert select_accepted(checked).count() == len(LOG)
