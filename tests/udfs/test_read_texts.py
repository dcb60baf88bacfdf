"""Readers of Spark's Python workers, without Spark."""

import pandas as pd

from conf.sections.language import read_english
from features.contracts.texts import READING_COLUMNS
from model.text.reading import FIELDS
from udfs.read_texts import READING, make_item_reader, make_query_reader

SCHEMA = [column.split()[0] for column in READING.split(", ")]


def test_the_table_holds_what_is_read() -> None:
    assert FIELDS == READING_COLUMNS
    assert ["text_hash", *FIELDS] == SCHEMA


def test_queries_and_items_are_read_batch_by_batch() -> None:
    queries = [pd.DataFrame({"text_hash": ["a", "b"], "text": ["red sofas", ""]})]
    (read,) = make_query_reader(read_english())(queries)
    assert read.columns.tolist() == SCHEMA
    assert read["text_hash"].tolist() == ["a", "b"]
    assert read["tokens"].tolist() == [["red", "sofa"], []]
    item = {
        "text_hash": ["c"],
        "size": ["6 ft"],  # columns are found by their names
        "text": ["Acme Sofa"],
        "title": ["Sofa"],
        "brand": ["Acme"],
        "item_type": [""],
        "colour": [""],
    }
    (read,) = make_item_reader(read_english())([pd.DataFrame(item)])
    row = read.iloc[0]
    assert (row["tokens"], row["brand"], row["own_size"]) == (["acme", "sofa"], ["acme"], "6 ft")
