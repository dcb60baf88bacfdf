"""Colours, sizes and brands that a query names, against those of an item."""

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from features.text.attributes import item_attributes, query_attributes, three_way
from features.text.texts import split_tokens


@pytest.fixture(scope="module")
def items(spark: SparkSession) -> DataFrame:
    return spark.createDataFrame(
        [
            ("own", "Sofa in red", "Acme Home", "Navy Blue", "Queen"),
            ("titled", "Gray bed 6 ft. wide", None, None, None),
            ("plain", "Lamp", "Bel", None, None),
        ],
        "item_id string, title string, brand string, colour string, size string",
    )


def test_item_attributes_come_from_their_columns_else_the_title(items: DataFrame) -> None:
    rows = {r["item_id"]: r for r in item_attributes(items).collect()}
    own, titled, plain = rows["own"], rows["titled"], rows["plain"]
    assert own["brand_tokens"] == ["acme", "home"]
    assert set(own["colours"]) == {"navy blue", "navy", "blue"}
    assert own["sizes"] == ["queen"]
    assert (titled["colours"], titled["sizes"]) == (["grey"], ["6 ft"])
    assert plain["colours"] == plain["sizes"] == titled["brand_tokens"] == []


def test_a_query_names_a_value_by_all_its_tokens(spark: SparkSession, items: DataFrame) -> None:
    texts = spark.createDataFrame(
        [("blue sofa navy",), ("blue 6 foot bed",), ("queen lamp",), ("sofa",)], "text string"
    ).withColumn("tokens", split_tokens(F.col("text")))
    rows = {r["text"]: r for r in query_attributes(texts, items).collect()}
    assert set(rows["blue sofa navy"]["colours"]) == {"blue", "navy", "navy blue"}
    assert rows["blue 6 foot bed"]["colours"] == ["blue"]
    assert rows["blue 6 foot bed"]["sizes"] == ["6 ft"]
    assert rows["queen lamp"]["sizes"] == ["queen"]
    assert rows["sofa"]["colours"] == rows["sofa"]["sizes"] == []


def test_three_way(spark: SparkSession) -> None:
    rows = spark.createDataFrame(
        [(["a"], ["a", "b"]), (["a"], ["b"]), ([], ["a"]), (["a"], [])],
        "named array<string>, owned array<string>",
    ).select(three_way(F.col("named"), F.col("owned")))
    assert [r[0] for r in rows.collect()] == [1.0, -1.0, 0.0, 0.0]
