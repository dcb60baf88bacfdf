"""Training examples on hand-made rows: masks, windows, features as of a day, the split."""

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from conf.load import ResolvedConf
from features.contracts import IMPRESSIONS
from features.examples.training_rows import engagement_labels, shown_rows, training_examples
from tests.features.examples.hand_made import RUN, by_id, frame, inputs, shown

MakeConf = Callable[..., ResolvedConf]


def test_carts_and_purchases_count_within_the_window_and_young_rows_are_masked(
    spark: SparkSession,
) -> None:
    def late(days_ago: int, by: int) -> dict[str, Any]:
        at = dt.datetime(2026, 3, 1, 12) - dt.timedelta(days=days_ago - by)
        return {"clicked": True, "carted": True, "carted_at": at}

    rows = frame(
        spark,
        IMPRESSIONS,
        [
            shown("at_once", "a", 10, clicked=True, carted=True, purchased=True),
            shown("in_time", "a", 10, **late(10, 3)),
            shown("too_late", "a", 10, **late(10, 4)),
            shown("old", "a", 4),
            shown("young", "a", 3),
            shown("young_cart", "a", 1, clicked=True, carted=True),
            shown("tomorrow", "a", 1, **late(1, 2)),
        ],
    ).withColumn("split", F.lit("train"))
    found = by_id(rows.transform(engagement_labels(3, RUN)))
    labels = {
        name.partition("|")[0]: (r.label_click, r.label_cart, r.mask_cart, r.mask_purchase)
        for name, r in found.items()
    }
    assert labels == {
        "at_once": (1, 1, 1, 1),
        "in_time": (1, 1, 1, 1),
        "too_late": (1, 0, 1, 1),
        "old": (0, 0, 1, 1),
        "young": (0, 0, 0, 0),
        "young_cart": (1, 1, 0, 0),
        "tomorrow": (1, 0, 0, 0),
    }
    assert all(r.mask_click == 1 for r in found.values())
    assert found["at_once|a"].label_purchase == 1


def test_only_days_of_the_window_and_rows_known_before_the_run_date(
    spark: SparkSession, make_conf: MakeConf
) -> None:
    made = inputs(
        spark,
        [
            shown("first", "a", 5),
            shown("before", "a", 6),
            shown("today", "a", 0),
            shown("late", "a", 1, known_at=dt.datetime(2026, 3, 1)),
        ],
    )
    conf = make_conf("features.training_days=5").tree
    assert [row.search_id for row in shown_rows(made, conf, RUN).collect()] == ["first"]
    later = replace(made, examples_from=RUN - dt.timedelta(days=4))
    assert shown_rows(later, conf, RUN).count() == 0


def test_features_are_as_of_the_day_and_missing_ones_are_flagged(
    spark: SparkSession, make_conf: MakeConf
) -> None:
    made = inputs(
        spark,
        [shown("s1", "a", 9), shown("s2", "nowhere", 8), shown("s3", "a", 7, region="mars")],
    )
    found = by_id(training_examples(made, make_conf().tree, RUN))
    row = found["s1|a"]
    assert (row.query_chars, row.item_log_price, row.pair_bm25) == (20, 20, 20)
    assert (row.missing_query, row.missing_item, row.missing_query_item) == (0, 0, 0)
    row = found["s2|nowhere"]
    assert (row.missing_query, row.missing_item, row.missing_query_item) == (0, 1, 1)
    assert (row.query_chars, row.item_price_percentile) == (21, 0.5)
    assert found["s3|a"].missing_item == 1


def test_split_by_the_bucket_of_the_query(spark: SparkSession, make_conf: MakeConf) -> None:
    made = inputs(spark, [shown(f"s_{q}", "a", 3, query_id=q) for q in ("q1", "q2", "q3", "q4")])
    conf = make_conf("split.train=[0]", "split.test=[9]")
    splits = {row.query_id: row.split for row in shown_rows(made, conf.tree, RUN).collect()}
    assert splits == {"q1": "train", "q2": "validation", "q3": "test"}
