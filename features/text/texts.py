"""Which texts of a query and an item are read, embedded and compared, and what each is kept by.

All functions take and return columns or frames, in Spark's built-in functions; the texts are read
in `model.text`.
"""

from collections.abc import Callable

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

SplitTokens = Callable[[Column], Column]
"""Splits a column of texts into their tokens (array<string>), by the rules of a language."""
_ITEM_FIELDS = ("title", "brand", "item_type", "colour", "size")


def text_key(query_text: Column) -> Column:
    """Return what makes two query texts the same text: lower(trim(text)), as in the query split."""
    return F.lower(F.trim(query_text))


def item_title(title: Column, brand: Column) -> Column:
    """Return the title, led by the brand where the title does not contain it: the
    encoder's text.
    """
    return F.concat_ws(" ", _unless_contained(brand, title), title)


def item_text(title: Column, brand: Column, item_type: Column) -> Column:
    """Return title, brand and type, none of them twice: the lexical text of an item."""
    return F.concat_ws(" ", item_title(title, brand), _unless_contained(item_type, title))


def encoder_text(text: Column) -> Column:
    """Return the text as the uncased encoder sees it: lower case, single spaces; '' for null."""
    return F.coalesce(F.trim(F.regexp_replace(F.lower(text), r"\s+", " ")), F.lit(""))


def text_hash(text: Column) -> Column:
    """Return sha256 (hex) of `encoder_text`: the key of an embedding."""
    return F.sha2(encoder_text(text), 256)


def query_hash(query_text: Column) -> Column:
    """Return the key of a query's reading: sha256 (hex) of `text_key`."""
    return F.sha2(F.coalesce(text_key(query_text), F.lit("")), 256)


def item_hash() -> Column:
    """Return the key of an item's reading: sha256 (hex) of all its texts, as JSON."""
    return F.sha2(F.to_json(F.struct(F.lit("item").alias("of"), *_ITEM_FIELDS)), 256)


def list_query_texts(queries: DataFrame) -> DataFrame:
    """List the distinct query texts: text_hash, text; one row each.

    Args:
        queries: rows of the queries table.
    """
    text = F.coalesce(text_key(F.col("query_text")), F.lit(""))
    return queries.select(
        query_hash(F.col("query_text")).alias("text_hash"), text.alias("text")
    ).distinct()


def list_item_texts(items: DataFrame) -> DataFrame:
    """List the texts of each item, '' for null: item_id, text_hash, text (title, brand and type),
    title, brand, item_type, colour, size; one row per item.

    Args:
        items: rows of the items table.
    """
    text = item_text(F.col("title"), F.col("brand"), F.col("item_type"))
    fields = [F.coalesce(F.col(name), F.lit("")).alias(name) for name in _ITEM_FIELDS]
    return items.select("item_id", item_hash().alias("text_hash"), text.alias("text"), *fields)


def hashed_category(value: Column, buckets: int) -> Column:
    """Return 1 + xxhash64(lower(trim(value))) mod (buckets - 1); 0 where the value is null or
    empty.
    """
    name = F.lower(F.trim(value))
    bucket = F.pmod(F.xxhash64(name), F.lit(buckets - 1)) + 1
    return F.when(F.length(name) > 0, bucket).otherwise(F.lit(0))


def _unless_contained(part: Column, text: Column) -> Column:
    """Return `part`, or null where `text` already contains it (case ignored)."""
    return F.when(~F.contains(F.lower(text), F.lower(F.trim(part))), F.trim(part))
