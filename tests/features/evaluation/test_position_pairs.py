"""Pairs that the examination curve is fitted to."""

from pyspark.sql import SparkSession

from features.evaluation.examination import pair_places, position_pairs


def test_pairs_with_a_click_and_two_positions(spark: SparkSession) -> None:
    rows = [
        ("a", 1, 1.0),
        ("a", 2, 0.0),
        ("a", 2, 1.0),
        ("b", 1, 1.0),
        ("c", 1, 0.0),
        ("c", 9, 0.0),
    ]
    frame = spark.createDataFrame(rows, "item_id string, position int, label_click double")
    shown = frame.selectExpr("*", "'q' query_id", "'s' search_id", "1.0 mask_click")
    pairs = shown.transform(position_pairs(2))
    found = pairs.transform(pair_places(1.0)).orderBy("position").collect()
    assert [(r["position"], r["views"], r["clicks"]) for r in found] == [(1, 1, 1.0), (2, 2, 1.0)]
    assert pairs.transform(pair_places(0.0)).count() == 0
