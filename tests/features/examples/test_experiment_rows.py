"""Codes of an experiment's rows, and the rows that the chain's training examples become."""

from collections.abc import Callable

from pyspark.sql import DataFrame, SparkSession

from features.contracts import MARKET_TRUTH, QUERIES, TRAINING_EXAMPLES
from features.examples.experiment_rows import chain_rows, dense_codes

EXAMPLES = [
    {"query_id": "red|us", "item_id": "a", "search_id": "s1", "label_source": "human", "grade": 2},
    {
        "query_id": "red|uk",
        "item_id": "a",
        "search_id": "s2",
        "label_source": "assumed",
        "grade": 0,
    },
    {"query_id": "red|us", "item_id": "b", "search_id": "s1"},
    {"query_id": "blue|us", "item_id": "b", "label_source": "human", "grade": 1},
]


def test_codes_are_dense_and_do_not_depend_on_partitions(spark: SparkSession) -> None:
    rows = spark.range(500).selectExpr("concat('key', id % 200) AS key", "id")
    one, many = (
        {r["key"]: r["code"] for r in dense_codes(df, "key", "code").collect()}
        for df in (rows.coalesce(1), rows.repartition(7, "id"))
    )
    assert one == many
    assert sorted(one.values()) == list(range(200))


def test_examples_get_lists_pages_units_and_truth(table_frame: Callable[..., DataFrame]) -> None:
    examples = table_frame(TRAINING_EXAMPLES, EXAMPLES)
    queries = table_frame(
        QUERIES,
        [
            {"query_id": "red|us", "query_text": "Red "},
            {"query_id": "red|uk", "query_text": "red"},
            {"query_id": "blue|us", "query_text": "blue"},
        ],
    )
    truth = table_frame(
        MARKET_TRUTH,
        [
            {"query_id": "red|us", "item_id": "a", "true_p_click": 0.25},
            {"query_id": "red|uk", "item_id": "a", "true_p_click": 0.75},
            {"query_id": "red|uk", "item_id": "b", "true_p_click": 0.1},
        ],
    )
    found = chain_rows(examples, queries, truth).collect()
    rows = {(r["query_id"], r["item_id"]): r for r in found}
    assert len(found) == 4
    us, uk, other, blue = (rows[e["query_id"], e["item_id"]] for e in EXAMPLES)
    assert us["list_code"] == other["list_code"] != uk["list_code"]
    assert us["unit_code"] == uk["unit_code"] != blue["unit_code"]
    assert us["page_code"] == other["page_code"] >= 0 > blue["page_code"]
    assert us["item_code"] == uk["item_code"] != blue["item_code"]
    assert [r["judged"] for r in (us, uk, other, blue)] == [1, 0, 0, 1]
    assert [r["grade"] for r in (us, uk, other, blue)] == [2, 0, -1, 1]
    assert [r["p_true_click"] for r in (us, blue)] == [0.25, -1.0]
    assert [r["p_blind_click"] for r in (us, uk, other, blue)] == [0.5, 0.5, -1.0, -1.0]
    assert "p_true_click" not in chain_rows(examples, queries, None).columns
