"""Words of the catalogue, and how far it has moved since they were counted."""

import pytest
from pyspark.sql import DataFrame, SparkSession

from features.text.statistics import changed_share, count_words

ITEMS = [
    ("h1", ["red", "sofa", "red"], "red", ""),
    ("h1", ["red", "sofa", "red"], "red", ""),
    ("h2", ["lamp"], "", "6 ft"),
    ("h3", [], "", ""),
]


def make_items(spark: SparkSession, rows: list[tuple[str, list[str], str, str]]) -> DataFrame:
    schema = "text_hash string, tokens array<string>, own_colour string, own_size string"
    return spark.createDataFrame(rows, schema)


def test_items_are_counted_by_what_they_hold(spark: SparkSession) -> None:
    rows = {(r["kind"], r["value"]): r for r in count_words(make_items(spark, ITEMS)).collect()}
    assert {key: r["items"] for key, r in rows.items()} == {
        ("catalogue", ""): 4,
        ("item", "h1"): 2,
        ("item", "h2"): 1,
        ("item", "h3"): 1,
        ("term", "red"): 2,
        ("term", "sofa"): 2,
        ("term", "lamp"): 1,
        ("colour", "red"): 2,
        ("size", "6 ft"): 1,
    }
    assert {key: r["tokens"] for key, r in rows.items() if r["tokens"]} == {("catalogue", ""): 7}


def test_an_empty_catalogue_has_no_tokens(spark: SparkSession) -> None:
    (row,) = count_words(make_items(spark, [])).collect()
    assert (row["kind"], row["items"], row["tokens"]) == ("catalogue", 0, 0)


@pytest.mark.parametrize(
    ("now", "share"),
    [
        (["h1", "h1", "h2", "h3"], 0.0),
        (["h1", "h1", "h2", "h4"], 0.25),
        (["h1", "h2", "h3"], 0.25),
        (["h1", "h1", "h2", "h3", "h4", "h5"], 0.5),
        ([], 1.0),
    ],
)
def test_the_share_that_is_new_gone_or_changed(
    spark: SparkSession, now: list[str], share: float
) -> None:
    statistics = count_words(make_items(spark, ITEMS))
    items = spark.createDataFrame([(h,) for h in now], "text_hash string")
    assert [r["share"] for r in changed_share(items, statistics).collect()] == [share]


def test_against_an_empty_count_everything_is_new(spark: SparkSession) -> None:
    nothing = count_words(make_items(spark, []))
    for rows, share in ((ITEMS, 1.0), ([], 0.0)):
        found = changed_share(make_items(spark, rows), nothing).collect()
        assert [r["share"] for r in found] == [share]
