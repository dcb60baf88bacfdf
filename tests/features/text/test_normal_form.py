"""One normal form: spellings of numbers and units, plurals, tokens, trigrams, hashes."""

import hashlib

import pytest
from pyspark.sql import Row, SparkSession
from pyspark.sql import functions as F

from features.text.texts import (
    basic_colours,
    encoder_text,
    extract_measures,
    extract_trigrams,
    hashed_category,
    item_text,
    item_title,
    select_numbers,
    split_tokens,
    text_hash,
    text_key,
)

TOKENS = {
    "6-foot ladder": ["6", "ft", "ladder"],
    "6 ft. Ladders": ["6", "ft", "ladder"],
    "6' ladder": ["6", "ft", "ladder"],
    "2 in. x 4 in. x 8 ft. Stud": ["2", "in", "4", "in", "8", "ft", "stud"],
    "2x4x8 studs": ["2", "4", "8", "stud"],
    "12\"x10' rugs": ["12", "in", "10", "ft", "rug"],
    "1-1/2 in. pipe &amp; 2.5 amps": ["1", "1/2", "in", "pipe", "2.5", "amp"],
    "1,000 lbs": ["1000", "lb"],
    "Men's dresses, batteries, boxes": ["men", "dress", "battery", "box"],
    "gas bus glass": ["gas", "bus", "glass"],
    "DCD771C2": ["dcd771c2"],
    "CAFÉ हिन्दी ñandú": ["café", "हिन्दी", "ñandú"],
    "x-ray box": ["x", "ray", "box"],
    "!!!": [],
    "": [],
}


@pytest.fixture(scope="module")
def parsed(spark: SparkSession) -> dict[str | None, Row]:
    """Everything that the texts of this module become, by text."""
    texts = [*TOKENS, "grey and gray and red", "3/4 in bolt 6 ft", "sofa", None]
    words = split_tokens(F.col("text"))
    rows = (
        spark.createDataFrame([(t,) for t in texts], "text string")
        .select(
            "text",
            words.alias("tokens"),
            select_numbers(words).alias("numbers"),
            extract_measures(words).alias("measures"),
            extract_trigrams(words).alias("trigrams"),
            basic_colours(words).alias("colours"),
            text_hash(F.col("text")).alias("hash"),
        )
        .collect()
    )
    return {row["text"]: row for row in rows}


@pytest.mark.parametrize("text", TOKENS)
def test_tokens(parsed: dict[str | None, Row], text: str) -> None:
    assert parsed[text]["tokens"] == TOKENS[text]


def test_null_has_no_tokens(parsed: dict[str | None, Row]) -> None:
    row = parsed[None]
    assert row["tokens"] == row["numbers"] == row["measures"] == row["trigrams"] == []
    assert row["hash"] == hashlib.sha256(b"").hexdigest()


def test_numbers_and_measures(parsed: dict[str | None, Row]) -> None:
    row = parsed["3/4 in bolt 6 ft"]
    assert row["numbers"] == ["3/4", "6"]
    assert row["measures"] == ["3/4 in", "6 ft"]
    assert parsed["2x4x8 studs"]["numbers"] == ["2", "4", "8"]


def test_trigrams_have_a_space_around(parsed: dict[str | None, Row]) -> None:
    assert parsed["sofa"]["trigrams"] == [" so", "sof", "ofa", "fa "]


def test_both_greys_are_one_colour(parsed: dict[str | None, Row]) -> None:
    assert parsed["grey and gray and red"]["colours"] == ["grey", "red"]


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
