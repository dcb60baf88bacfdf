"""Audited pairs, their engagement and what their grade lets expect, hand-worked."""

from collections.abc import Callable
from datetime import date, datetime
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from conf.schema import Conf
from features.audit.evidence import audited_pairs, build_units, pair_engagement, with_attraction
from features.contracts import IMPRESSIONS, QUERIES, RELEVANCE_LABELS
from features.log.history import MICRO

RUN = date(2026, 3, 1)
TableFrame = Callable[..., DataFrame]
CONF = Conf.model_validate({"features": {"prior_impressions": 1e-9}})


def test_the_latest_human_label_of_a_pair_is_audited(table_frame: TableFrame) -> None:
    label = {"query_id": "q", "item_id": "i", "source": "human"}
    labels = table_frame(
        RELEVANCE_LABELS,
        [
            {**label, "labeler_version": "new", "grade": 1, "labelled_at": datetime(2026, 2, 2)},
            {**label, "labeler_version": "old", "grade": 2, "labelled_at": datetime(2026, 1, 1)},
            {**label, "labeler_version": "none", "grade": 0},
            {**label, "source": "llm", "grade": 0, "labelled_at": datetime(2026, 2, 3)},
        ],
    )
    queries = table_frame(QUERIES, [{"query_id": "q", "query_text": " Red Hose", "region": "us"}])
    row = audited_pairs(labels, queries).collect()
    assert [(r["grade"], r["labeler_version"], r["text_key"]) for r in row] == [
        (1, "new", "red hose")
    ]


def shown(search: int, item: str, position: int, **values: Any) -> dict[str, Any]:
    at = values.pop("at", datetime(2026, 2, 20))
    return {
        "search_id": str(search),
        "query_id": "q",
        "item_id": item,
        "position": position,
        "event_time": at,
        "known_at": values.pop("known_at", at),
        "event_date": at.date(),
        **values,
    }


def test_engagement_is_examined_by_position_and_known_before_the_run(
    table_frame: TableFrame,
) -> None:
    late = datetime(2026, 3, 1)
    rows = [
        *(shown(n, "a", 1, clicked=n < 4, carted=n < 2) for n in range(8)),
        *(shown(n, "b", 2, clicked=n < 1, simulated=True) for n in range(8)),
        shown(8, "a", 1, clicked=True, known_at=late),
        shown(9, "a", 1, clicked=True, at=datetime(2025, 11, 1)),
        shown(10, "b", 2, clicked=True, carted=True, carted_at=late),
    ]
    found = {
        r["item_id"]: r
        for r in pair_engagement(table_frame(IMPRESSIONS, rows), CONF, RUN).collect()
    }
    assert (found["a"]["impressions"], found["a"]["clicks"], found["a"]["carts"]) == (8, 4, 2)
    assert (found["b"]["impressions"], found["b"]["clicks"], found["b"]["carts"]) == (9, 2, 0)
    assert found["a"]["examined"] == 8 * MICRO
    assert found["b"]["examined"] / MICRO == pytest.approx(9 * (2 / 9) / (4 / 8), abs=1e-4)
    assert (found["a"]["simulated"], found["b"]["simulated"]) == (False, True)


def test_units_expect_the_clicks_of_their_grade_in_each_region(spark: SparkSession) -> None:
    pairs = spark.createDataFrame(
        [
            ("u1", "i", "us", "hose", "hose", 2),
            ("f1", "i", "fr", "hose", "Hose", 2),
            ("u2", "j", "us", "lamp", "lamp", 2),
            ("u2", "k", "us", "lamp", "lamp", 0),
        ],
        "query_id string, item_id string, region string, text_key string, query_text string, "
        "grade int",
    )
    engagement = spark.createDataFrame(
        [
            ("u1", "i", 10, 3, 1, 0, 5 * MICRO, False),
            ("f1", "i", 4, 2, 0, 0, 4 * MICRO, True),
            ("u2", "j", 10, 1, 0, 0, 15 * MICRO, False),
        ],
        "query_id string, item_id string, impressions long, clicks long, carts long, "
        "purchases long, examined long, simulated boolean",
    )
    found = {r["item_id"]: r for r in build_units(pairs, engagement).collect()}
    assert found["i"]["clicks"] == 5
    assert found["i"]["expected"] == 5 * MICRO * (4 / 20) + 4 * MICRO * (2 / 4)
    assert found["j"]["expected"] == 15 * MICRO * (4 / 20)
    assert (found["k"]["clicks"], found["k"]["expected"], found["k"]["simulated"]) == (0, 0, False)
    assert found["i"]["simulated"]


def test_attraction_comes_from_the_other_units_of_item_and_text(spark: SparkSession) -> None:
    counted = spark.createDataFrame(
        [("a", "i", 8, 4 * MICRO), ("b", "i", 1, 2 * MICRO), ("c", "k", 5, 5 * MICRO)],
        "text_key string, item_id string, clicks long, expected long",
    )
    found = {r["text_key"]: r["expected"] / MICRO for r in with_attraction(counted, 2.0).collect()}
    assert found["a"] == pytest.approx(4 * (1 + 2) / (2 + 2))
    assert found["b"] == pytest.approx(2 * (8 + 2) / (4 + 2))
    assert found["c"] == pytest.approx(5.0)
