"""Colours and sizes of the catalogue that a query names."""

from pyspark.sql import SparkSession

from features.text.attributes import name_attributes

VALUES = [
    *[("colour", value) for value in ("navy blue", "red")],
    *[("size", value) for value in ("queen", "6 ft")],
    *[("term", value) for value in ("sofa", "queen")],
]
QUERIES = {
    "blue sofa navy": ["blue", "navy"],
    "blue 6 ft bed": ["blue"],
    "queen lamp": [],
    "sofa": [],
}


def test_a_query_names_a_value_by_all_its_tokens(spark: SparkSession) -> None:
    readings = spark.createDataFrame(
        [(text, text.split(), colours, []) for text, colours in QUERIES.items()],
        "text_hash string, tokens array<string>, colours array<string>, sizes array<string>",
    )
    values = spark.createDataFrame(VALUES, "kind string, value string")
    rows = {r["text_hash"]: r for r in name_attributes(readings, values).collect()}
    assert set(rows) == set(QUERIES)
    assert rows["blue sofa navy"]["colours"] == ["blue", "navy", "navy blue"]
    assert rows["blue 6 ft bed"]["colours"] == ["blue"]
    assert rows["blue 6 ft bed"]["sizes"] == ["6 ft"]
    assert (rows["queen lamp"]["sizes"], rows["queen lamp"]["colours"]) == (["queen"], [])
    assert rows["sofa"]["colours"] == rows["sofa"]["sizes"] == []
