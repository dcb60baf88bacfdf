"""Texts of queries and items, and their hashes."""

import hashlib
from collections.abc import Callable

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from features.contracts import ITEMS, QUERIES
from features.text.texts import (
    encoder_text,
    hashed_category,
    item_text,
    item_title,
    list_item_texts,
    list_query_texts,
    text_hash,
    text_key,
)

TableFrame = Callable[..., DataFrame]


def test_the_hash_of_null_is_that_of_no_text(spark: SparkSession) -> None:
    row = spark.createDataFrame([(None,)], "text string").select(text_hash(F.col("text"))).first()
    assert row is not None and row[0] == hashlib.sha256(b"").hexdigest()


def test_equal_query_texts_are_one_text(table_frame: TableFrame) -> None:
    rows = [{"query_id": str(n), "query_text": t} for n, t in enumerate(["Red ", "red", "sofa"])]
    found = list_query_texts(table_frame(QUERIES, rows)).collect()
    assert sorted(r["text"] for r in found) == ["red", "sofa"]
    assert len({r["text_hash"] for r in found}) == 2


def test_items_of_equal_texts_share_a_hash(table_frame: TableFrame) -> None:
    rows = [
        {"item_id": "a", "title": "Sofa", "brand": "Acme"},
        {"item_id": "b", "title": "Sofa", "brand": "Acme"},
        {"item_id": "c", "title": "Sofa", "brand": "Acme", "size": "6 ft"},
        {"item_id": "d", "title": "Sofa", "colour": "Acme"},
    ]
    found = {r["item_id"]: r for r in list_item_texts(table_frame(ITEMS, rows)).collect()}
    assert found["a"]["text_hash"] == found["b"]["text_hash"]
    assert len({r["text_hash"] for r in found.values()}) == 3
    assert (found["c"]["text"], found["c"]["size"]) == ("Acme Sofa", "6 ft")
    assert (found["d"]["brand"], found["d"]["colour"]) == ("", "Acme")


def test_text_columns_of_queries_and_items(spark: SparkSession) -> None:
    columns = "title string, brand string, item_type string"
    row = (
        spark.createDataFrame([("Acme  Red SOFA ", "acme", "sofa"), ("Lamp", "Bel", None)], columns)
        .select(
            item_title(F.col("title"), F.col("brand")).alias("title"),
            item_text(F.col("title"), F.col("brand"), F.col("item_type")).alias("text"),
            encoder_text(F.col("title")).alias("encoder"),
            text_key(F.col("title")).alias("key"),
        )
        .collect()
    )
    assert row[0].asDict() == {
        "title": "Acme  Red SOFA ",
        "text": "Acme  Red SOFA ",
        "encoder": "acme red sofa",
        "key": "acme  red sofa",
    }
    assert (row[1]["title"], row[1]["text"]) == ("Bel Lamp", "Bel Lamp")


def test_hashed_category_is_within_its_buckets(spark: SparkSession) -> None:
    names = spark.range(200).select(F.format_string(" Brand%d", "id").alias("name"))
    same = F.lower(F.trim("name"))
    low, high, equal = (
        names.select(
            hashed_category(F.col("name"), 8).alias("a"), hashed_category(same, 8).alias("b")
        )
        .agg(F.min("a"), F.max("a"), F.bool_and(F.col("a") == F.col("b")))
        .collect()[0]
    )
    assert (low, high, equal) == (1, 7, True)
    unknown = spark.createDataFrame([(None,), ("  ",)], "name string")
    assert {r[0] for r in unknown.select(hashed_category(F.col("name"), 8)).collect()} == {0}
