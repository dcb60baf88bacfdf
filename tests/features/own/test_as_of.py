"""Values of own features as of a day, against a plain reading of the same rows."""

import random
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from conf.load import ResolvedConf
from features.contracts import OWN_VALUES, QUERIES
from features.own.as_of import find_own_values

MakeConf = Callable[..., ResolvedConf]
MakeFrame = Callable[..., DataFrame]
START = date(2026, 2, 1)
QUERY_TEXTS = {"q1": ("Red Sofa", "us"), "q2": ("red sofa", "uk"), "q3": ("lamp", "us")}


def own(name: str, key: str, features: str, more: str = "") -> str:
    return (
        f"features.own.{name}={{format: csv, path: x.csv, key: [{key}], as_of: day, "
        f"features: {features}{more}}}"
    )


def row(dataset: str, day: int, values: str, **key: str) -> dict[str, Any]:
    rest = {"query": "*", "item_id": "*", "region": "*"} | key
    return {"dataset": dataset, "as_of_date": START + timedelta(day), "values": values, **rest}


def spine(spark: SparkSession, days: int) -> DataFrame:
    rows = [
        (query, item, region, START + timedelta(day))
        for query, (_, region) in QUERY_TEXTS.items()
        for item in ("a", "b")
        for day in range(days)
    ]
    return spark.createDataFrame(rows, "query_id string, item_id string, region string, day date")


def queries(make_frame: MakeFrame) -> DataFrame:
    rows = [{"query_id": q, "query_text": t, "region": r} for q, (t, r) in QUERY_TEXTS.items()]
    return make_frame(QUERIES, rows)


def test_each_day_has_the_newest_values_that_may_be_used(
    spark: SparkSession, make_conf: MakeConf, table_frame: MakeFrame
) -> None:
    conf = make_conf(own("stock", "item_id, region", "{days: {}, sold: {dtype: int}}")).tree
    draw = random.Random(3)
    given = {
        (item, region, day): round(draw.random(), 3)
        for item in ("a", "b")
        for region in ("us", "uk")
        for day in draw.sample(range(12), 4)
    }
    rows = [
        row("stock", day, f'{{"days": "{value}"}}', item_id=item, region=region)
        for (item, region, day), value in given.items()
    ]
    rows.append(row("other", 0, '{"days": "99"}', item_id="a", region="us"))
    found = find_own_values(
        "item", spine(spark, 12), queries(table_frame), table_frame(OWN_VALUES, rows), conf
    )
    assert found is not None
    answers = found.collect()
    assert len(answers) == 2 * 2 * 12
    for answer in answers:
        item, region = answer["item_id"], answer["region"]
        before = [
            (day, value)
            for (i, r, day), value in given.items()
            if (i, r) == (item, region) and START + timedelta(day) <= answer["day"]
        ]
        expected = {"days": max(before)[1]} if before else {}
        assert {k: round(v, 3) for k, v in answer["own"].items()} == expected


def test_keys_by_text_hold_for_all_regions_or_for_one(
    spark: SparkSession, make_conf: MakeConf, table_frame: MakeFrame
) -> None:
    conf = make_conf(
        own("season", "query_text", "{summer: {dtype: boolean}}"),
        own("ads", "query_text, region", "{bid: {}}"),
        own("ids", "query_id", "{rank_of_query: {}}"),
    ).tree
    rows = [
        row("season", 0, '{"summer": "true"}', query="red sofa"),
        row("ads", 0, '{"bid": "2"}', query="red sofa", region="uk"),
        row("ids", 0, '{"rank_of_query": "5"}', query="q3"),
    ]
    found = find_own_values(
        "query", spine(spark, 1), queries(table_frame), table_frame(OWN_VALUES, rows), conf
    )
    assert found is not None
    assert {r["query_id"]: r["own"] for r in found.collect()} == {
        "q1": {"summer": 1.0},
        "q2": {"summer": 1.0, "bid": 2.0},
        "q3": {"rank_of_query": 5.0},
    }


def test_a_pair_is_matched_by_query_and_item_and_old_values_are_forgotten(
    spark: SparkSession, make_conf: MakeConf, table_frame: MakeFrame
) -> None:
    conf = make_conf(own("pins", "query_text, item_id", "{pinned: {}}", ", max_age_days: 1")).tree
    values = table_frame(OWN_VALUES, [row("pins", 1, '{"pinned": "1"}', query="lamp", item_id="a")])
    found = find_own_values("query_item", spine(spark, 4), queries(table_frame), values, conf)
    assert found is not None
    pinned = {(r["query_id"], r["item_id"], r["day"].day) for r in found.collect() if r["own"]}
    assert pinned == {("q3", "a", 2), ("q3", "a", 3)}


def test_values_of_an_earlier_key_are_forgotten(
    spark: SparkSession, make_conf: MakeConf, table_frame: MakeFrame
) -> None:
    conf = make_conf(own("stock", "item_id", "{days: {}}")).tree
    rows = [
        row("stock", 1, '{"days": "1"}', item_id="a"),
        row("stock", 2, '{"days": "2"}', item_id="a", region="us"),
        row("stock", 2, '{"days": "3"}', item_id="b", query="lamp"),
    ]
    found = find_own_values(
        "item", spine(spark, 4), queries(table_frame), table_frame(OWN_VALUES, rows), conf
    )
    assert found is not None
    known = {(r["item_id"], r["day"].day): r["own"]["days"] for r in found.collect() if r["own"]}
    assert known == {("a", day): 1.0 for day in (2, 3, 4)}


def test_without_own_features_of_a_level_nothing_is_joined(
    spark: SparkSession, make_conf: MakeConf, table_frame: MakeFrame
) -> None:
    conf = make_conf(own("stock", "item_id", "{days: {}}")).tree
    values = table_frame(OWN_VALUES, [])
    assert find_own_values("query", spine(spark, 1), queries(table_frame), values, conf) is None
