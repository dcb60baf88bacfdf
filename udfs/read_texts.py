"""Reads texts in Spark's Python workers."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pandas as pd
from pyspark.sql.pandas.functions import pandas_udf

from conf.sections.language import LanguageConf
from model.text.reading import FIELDS, ItemText, Reading, read_item, read_query
from model.text.rules import TextRules

READING = (
    "text_hash string, tokens array<string>, head string, numbers array<string>, "
    "colours array<string>, sizes array<string>, brand array<string>, own_colour string, "
    "own_size string"
)
"""Schema of what both readers return."""
_ITEM_TEXTS = ItemText._fields
ReadBatches = Callable[[Iterable[pd.DataFrame]], Iterable[pd.DataFrame]]


def make_query_reader(language: LanguageConf) -> ReadBatches:
    """Make what reads rows of text_hash and text, for `mapInPandas`: the columns of READING."""

    def read_queries(batches: Iterable[pd.DataFrame]) -> Iterable[pd.DataFrame]:
        rules = TextRules(language)
        for rows in batches:
            yield _build_frame(rows["text_hash"], (read_query(t, rules) for t in rows["text"]))

    return read_queries


def make_item_reader(language: LanguageConf) -> ReadBatches:
    """Make what reads rows of text_hash and an item's texts, for `mapInPandas`: the columns of
    READING."""

    def read_items(batches: Iterable[pd.DataFrame]) -> Iterable[pd.DataFrame]:
        rules = TextRules(language)
        for rows in batches:
            texts = rows[list(_ITEM_TEXTS)].itertuples(index=False)
            yield _build_frame(rows["text_hash"], (read_item(ItemText(*t), rules) for t in texts))

    return read_items


def split_udf(language: LanguageConf) -> Any:
    """Make a pandas UDF: string column -> array<string>, the tokens of each text; none for null."""

    def split_batches(batches: Iterator[pd.Series]) -> Iterator[pd.Series]:
        rules = TextRules(language)
        for texts in batches:
            yield pd.Series([rules.split_tokens(text or "") for text in texts], dtype=object)

    # pyspark's overloads do not know the iterator form by type hints.
    wrap: Any = pandas_udf
    return wrap(split_batches, "array<string>")


def _build_frame(hashes: pd.Series, readings: Iterable[Reading]) -> pd.DataFrame:
    rows = list(readings)
    columns = {name: [getattr(row, name) for row in rows] for name in FIELDS}
    return pd.DataFrame({"text_hash": hashes.to_numpy(), **columns})
