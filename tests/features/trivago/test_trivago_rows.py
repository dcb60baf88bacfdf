"""Labels, point-in-time counts and list features on a few sessions worked out by hand."""

import math
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from conf.load import ResolvedConf
from features.quality.verdicts import accepted, by_rule
from features.trivago.actions import ACTIONS, checked_actions
from features.trivago.declarations import FEATURES
from features.trivago.features import OTHER, largest_sites, with_features, with_history
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


@pytest.fixture
def frame(spark: SparkSession) -> Callable[..., DataFrame]:
    """Actions as a frame of the contract's columns."""
    schema = ", ".join(f"`{c.name}` {c.type}" for c in ACTIONS.columns)

    def make(rows: list[dict[str, Any]]) -> DataFrame:
        values = [tuple(row.get(name) for name in ACTIONS.column_names) for row in rows]
        return spark.createDataFrame(values, schema)

    return make


def featured(actions: DataFrame, by_click: bool = False) -> DataFrame:
    engagements = engagements_of(actions)
    rows = impression_rows(pages_of(actions), engagements, by_click).withColumn(
        "split", F.lit("train")
    )
    return with_features(with_history(rows, engagements), ["DE", OTHER], PRIOR)


def by_key(rows: DataFrame, *columns: str) -> dict[tuple[str, str], Any]:
    found = rows.select("session_id", "item_id", *columns).collect()
    return {
        (r["session_id"], r["item_id"]): r if len(columns) > 1 else r[columns[0]] for r in found
    }


def test_engaged_means_before_the_click_and_by_step_within_a_second(
    frame: Callable[..., DataFrame],
) -> None:
    rows = featured(frame(LOG))
    labels = by_key(rows, "label_engaged", "label_clickout", "position")
    assert {key: tuple(row)[2:] for key, row in labels.items() if key[0] == "s2"} == {
        ("s2", "a"): (0, 0, 1),
        ("s2", "b"): (1, 1, 2),
        ("s2", "c"): (1, 0, 3),
    }
    assert labels["s1", "a"]["label_engaged"] == 0
    assert by_key(featured(frame(LOG), by_click=True), "label_engaged")["s1", "a"] == 1


def test_history_ends_before_the_session_starts(frame: Callable[..., DataFrame]) -> None:
    rows = featured(frame(LOG))
    clicks = by_key(rows, "item_clickouts", "item_impressions", "item_engagements", "item_ctr")
    # s2 starts in the second of the click on a: not yet known; the image of b at 90 is.
    assert clicks["s2", "a"]["item_clickouts"] == 0
    assert clicks["s2", "b"]["item_engagements"] == pytest.approx(math.log(2))
    # s3 starts a second later.
    assert clicks["s3", "a"]["item_clickouts"] == pytest.approx(math.log(2))
    assert clicks["s3", "a"]["item_ctr"] == pytest.approx((1 + PRIOR / 25) / (1 + PRIOR))
    assert clicks["s3", "b"]["item_impressions"] == pytest.approx(math.log(2))
    assert clicks["s3", "b"]["item_engagements"] == pytest.approx(math.log(3))  # s1's and s2's
    site = by_key(rows, "item_site_clickouts", "site_clickouts", "city_clickouts")
    assert tuple(site["s3", "a"])[2:] == pytest.approx((0, 0, math.log(2)))


def test_list_features_by_hand(frame: Callable[..., DataFrame]) -> None:
    rows = featured(frame(LOG))
    columns = ["price_rank", "price_vs_list", "list_price_spread", "list_length", "filters"]
    found = by_key(rows, *columns, "region_index", "device", "region")
    mean = (math.log(10) + 2 * math.log(20)) / 3
    spread = math.sqrt(2 / 9) * math.log(2)
    expected = {"a": (0.0, math.log(10) - mean), "b": (0.5, math.log(20) - mean)}
    for item, values in expected.items():
        row = tuple(found["s2", item])[2:]
        assert row[:3] == pytest.approx((*values, spread), abs=1e-5)
        assert row[3:] == (3, pytest.approx(math.log(3)), 2, 1, OTHER)
    assert found["s3", "a"]["region"] == "DE"
    assert found["s3", "a"]["region_index"] == 1


def test_the_future_changes_no_feature(frame: Callable[..., DataFrame]) -> None:
    """What comes in or after a session, its own clicks and engagements too, is no feature of it."""
    changed = [
        action("u1", "s1", 100, 2, CLICK, "c", **LIST),  # now c is clicked
        action("u2", "s2", 140, 2, IMAGE, "a", device="desktop"),
        action("u2", "s2", 200, 3, CLICK, "a", **LIST, current_filters="x|y", device="desktop"),
        action("u4", "s4", 100, 1, CLICK, "b", **LIST),
    ]
    names = [feature.name for feature in FEATURES]
    before = by_key(featured(frame(LOG)), *names)
    after = by_key(featured(frame([LOG[0], LOG[2], *changed])), *names)
    shared = [(session, item) for session in ("s1", "s2") for item in "abc"]
    assert {key: before[key] for key in shared} == {key: after[key] for key in shared}


def test_the_past_changes_features(frame: Callable[..., DataFrame]) -> None:
    more = action("u0", "s0", 50, 1, CLICK, "a", **LIST)
    grown = by_key(featured(frame([more, *LOG])), "item_clickouts")
    assert grown["s2", "a"] == pytest.approx(math.log(2))


def test_largest_sites_count_training_sessions(frame: Callable[..., DataFrame]) -> None:
    rows = featured(frame(LOG))
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
    assert accepted(checked).count() == len(LOG)
