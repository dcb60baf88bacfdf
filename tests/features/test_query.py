"""Features of a query from the log."""

import math
from datetime import date, timedelta

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from conf.load import load_conf
from conf.sections.language import read_english
from features.query import click_entropy, text_features
from features.text.texts import query_hash
from model.text.reading import read_query
from model.text.rules import TextRules

FIRST = date(2026, 2, 26)
ASKED = [FIRST + timedelta(days=after) for after in range(60)]


def test_the_entropy_of_clicks_is_of_the_28_days_before(spark: SparkSession) -> None:
    """A day late, a day early and any block of days between: every day of two months is asked."""
    clicks = [("sofa", 5, 2), ("chair", 5, 1), ("lamp", 5, 1), ("lamp", 20, 3), ("desk", 40, 1)]
    daily = spark.createDataFrame(
        [("q", f"{kind}1", FIRST + timedelta(days=after), n) for kind, after, n in clicks]
        + [("q", "sofa1", FIRST, 0), ("other", "sofa1", FIRST, 9)],
        "query_id string, item_id string, day date, clicks long",
    )
    items = spark.createDataFrame(
        [("sofa1", "seat"), ("chair1", "seat"), ("lamp1", None), ("desk1", "desk")],
        "item_id string, item_type string",
    )
    spine = spark.createDataFrame([("q", day) for day in ASKED], "query_id string, day date")
    found = {
        r["day"]: r["query_type_entropy"] for r in click_entropy(daily, items, spine).collect()
    }
    types = {"sofa": "seat", "chair": "seat", "lamp": "", "desk": "desk"}
    expected = {}
    for number, day in enumerate(ASKED):
        counts: dict[str, int] = {}
        for kind, after, n in clicks:
            if number - 28 <= after < number:
                counts[types[kind]] = counts.get(types[kind], 0) + n
        if counts:
            shares = [n / sum(counts.values()) for n in counts.values()]
            expected[day] = -sum(p * math.log(p) for p in shares)
    assert found == pytest.approx(expected)


def test_what_a_query_looks_like(spark: SparkSession) -> None:
    """Characters and tokens; a number alone or in a token; a size, or two numbers."""
    expected = {
        "oak board 5 ft": (14, 4, 1.0, 1.0),
        "2 by 4 lamp": (11, 4, 1.0, 1.0),
        "lamp 7": (6, 2, 1.0, 0.0),
        "red lamp": (8, 2, 0.0, 0.0),
        "!": (1, 0, 0.0, 0.0),
    }
    rules, conf = TextRules(read_english()), load_conf(settings=["regions=[us, fr]"]).tree
    queries = spark.createDataFrame(
        [(f"{text}|fr", text, "fr") for text in expected],
        "query_id string, query_text string, region string",
    )
    read = [(text, read_query(text, rules)) for text in expected]
    readings = spark.createDataFrame(
        [(text, list(r.tokens), list(r.numbers), list(r.sizes)) for text, r in read],
        "text string, tokens array<string>, numbers array<string>, sizes array<string>",
    ).withColumn("text_hash", query_hash(F.col("text")))
    found = {
        row.query_id: tuple(row[2:]) for row in text_features(queries, readings, conf).collect()
    }
    assert found == {f"{text}|fr": (2, *figures) for text, figures in expected.items()}
