"""Reads texts in Spark's Python workers."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd
from pyspark.sql.pandas.functions import pandas_udf

from conf.sections.language import LanguageConf
from model.text.reading import FIELDS, Reading, read_item, read_query
from model.text.rules import TextRules

READING = (
    "text_hash string, tokens array<string>, head string, numbers array<string>, "
    "colours array<string>, sizes array<string>, brand array<string>, own_colour string, "
    "own_size string"
)
"""Schema of what both readers return."""
_ITEM_TEXTS = ("text", "title", "brand", "item_type", "colour", "size")


@dataclass(frozen=True)
class QueryReader:
    """Reads rows of text_hash and text, for `mapInPandas`."""

    language: LanguageConf

    def __call__(self, batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        """Return one row per query text: the columns of READING."""
        rules = TextRules(self.language)
        for rows in batches:
            yield _build_frame(rows["text_hash"], (read_query(t, rules) for t in rows["text"]))


@dataclass(frozen=True)
class ItemReader:
    """Reads rows of text_hash and an item's texts, for `mapInPandas`."""

    language: LanguageConf

    def __call__(self, batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        """Return one row per item: the columns of READING."""
        rules = TextRules(self.language)
        for rows in batches:
            texts = zip(*(rows[name] for name in _ITEM_TEXTS), strict=True)
            yield _build_frame(rows["text_hash"], (read_item(*t, rules) for t in texts))


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
