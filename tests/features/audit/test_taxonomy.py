"""Votes for the types of a query."""

import pytest
from pyspark.sql import SparkSession

from conf.sections.audit import TaxonomyConf
from conf.sections.language import read_english
from features.audit.taxonomy import named_types, with_type_evidence
from udfs.read_texts import split_udf

CONF = TaxonomyConf(grade_weight=1.0, cart_weight=0.5, text_weight=2.0)
TYPES = [("i1", "hose"), ("i2", "hose"), ("i3", "lamp"), ("i4", "garden hose"), ("i5", None)]


def test_votes_leave_the_unit_itself_out(spark: SparkSession) -> None:
    units = spark.createDataFrame(
        [
            ("water hose", "i1", 2, "water hose", 0, 0),
            ("water hose", "i2", 2, "water hose", 1, -1),
            ("water hose", "i3", 0, "water hose", 3, 1),
            ("water hose", "i5", 2, "water hose", 0, 0),
            ("bulb", "i3", 1, "bulb", 0, 0),
        ],
        "text_key string, item_id string, grade int, query_text string, carts long, "
        "contradicts int",
    )
    types = spark.createDataFrame(TYPES, "item_id string, item_type string")
    found = {
        (r["text_key"], r["item_id"]): (r["type_share"], r["type_votes"])
        for r in with_type_evidence(units, types, CONF, split_udf(read_english())).collect()
    }
    assert found["water hose", "i1"] == pytest.approx((2.5 / 3.0, 3.0))
    assert found["water hose", "i2"] == pytest.approx((3.0 / 3.5, 3.5))
    assert found["water hose", "i3"] == pytest.approx((0.0, 3.5))
    assert found["water hose", "i5"] == (None, None)
    assert found["bulb", "i3"] == (None, 0.0)


def test_the_longer_of_two_named_types_is_meant(spark: SparkSession) -> None:
    units = spark.createDataFrame(
        [("50 ft garden hoses", "50 ft Garden Hoses"), ("table lamp", "table lamp")],
        "text_key string, query_text string",
    )
    types = spark.createDataFrame([*TYPES, ("i6", "table")], "item_id string, item_type string")
    named = sorted(tuple(r) for r in named_types(units, types, split_udf(read_english())).collect())
    assert named == [
        ("50 ft garden hoses", "garden hose"),
        ("table lamp", "lamp"),
        ("table lamp", "table"),
    ]
