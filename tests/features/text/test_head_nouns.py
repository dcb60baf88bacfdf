"""Head nouns of items and the last word of queries."""

from pyspark.sql import Row, SparkSession
from pyspark.sql import functions as F

from features.text.head_nouns import item_head, query_head
from features.text.normal_form import split_tokens

ITEMS = {
    ("Delta Single-Handle Faucet in Chrome", None): "faucet",
    ("Oak Shelves, 24 in. wide", None): "shelve",
    ("6 ft. Ladder (Aluminum)", None): "ladder",
    ("Lamp for desk", None): "lamp",
    ("Bolt 3/4 in. x 6 ft.", None): "bolt",
    ("Red thing with legs", "Coffee Tables"): "table",
    ("Red thing with legs", "12"): "thing",
    ("24", None): "",
    (None, None): "",
}
QUERIES = {"red sofa": "sofa", "ladder 6 ft": "ladder", "6 ft": "", "": ""}


def test_head_of_an_item(spark: SparkSession) -> None:
    rows = spark.createDataFrame(
        [(*k, v) for k, v in ITEMS.items()], "t string, y string, w string"
    )
    found = rows.select("w", item_head(F.col("t"), F.col("y")).alias("head")).collect()
    assert [row["head"] for row in found] == [row["w"] for row in found]


def test_last_word_of_a_query(spark: SparkSession) -> None:
    rows = spark.createDataFrame(list(QUERIES.items()), "q string, w string")
    found = rows.select("w", query_head(split_tokens(F.col("q"))).alias("head")).collect()
    assert found == [Row(w=word, head=word) for word in QUERIES.values()]
