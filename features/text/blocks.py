"""Lays out pairs and texts so that each text travels once per block, not once per pair.

A block is a share of the pairs, by a hash of their item; with its pairs go the readings and vectors
of its texts, and how many items hold each term that its queries name.
"""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from conf.errors import UserError
from features.contracts.texts import READING_COLUMNS
from features.text.statistics import TERM
from features.text.texts import item_title, text_hash

PAIRS_PER_BLOCK = 50_000
"""Pairs that a worker holds at once, about (count): with as many items their vectors take 75 MB."""


class MissingEmbeddingsError(UserError, RuntimeError):
    """Texts have no embedding of the encoder in use; the message names the job that makes it."""


class MissingReadingsError(UserError, RuntimeError):
    """Texts were not read by the rules in use; the message names the job that reads them."""


def check_embedded(queries: DataFrame, items: DataFrame, embeddings: DataFrame) -> None:
    """Raise MissingEmbeddingsError where a query's text or an item's title has no embedding.

    Args:
        queries: text; of `list_query_texts`.
        items: rows of the items table.
        embeddings: text_hash, embedding.
    """
    title = item_title(F.col("title"), F.col("brand"))
    needed = queries.select(text_hash(F.col("text")).alias("text_hash")).union(
        items.select(text_hash(title))
    )
    if missing := _count_missing(needed, embeddings):
        raise MissingEmbeddingsError(
            f"{missing} texts have no embedding of this encoder; run `counterpoise embed_texts` "
            "for this conf first"
        )


def check_read(needed: DataFrame, texts: DataFrame) -> None:
    """Raise MissingReadingsError where a text was not read by the rules in use.

    Args:
        needed: text_hash.
        texts: text_hash; rows of the texts table of the reader version in use.
    """
    if missing := _count_missing(needed, texts):
        raise MissingReadingsError(
            f"{missing} texts were not read by the rules of this conf's language; run "
            "`counterpoise read_texts` for this conf first"
        )


def assign_block(pairs: DataFrame, blocks: int) -> DataFrame:
    """Add `block` (int) to pairs with an item_hash."""
    return pairs.withColumn("block", _hash_block(F.col("item_hash"), blocks))


def block_texts(
    pairs: DataFrame, queries: DataFrame, items: DataFrame, statistics: DataFrame, blocks: int
) -> DataFrame:
    """Return what the pairs of each block need: block, kind (query, item or term), text_hash (the
    term itself for a term), the columns of a reading, embedding, items (count; of a term).

    Args:
        pairs: query_hash, item_hash.
        queries, items: text_hash, the columns of a reading and embedding; one row per text.
        statistics: kind, value, items; rows of text_statistics of one run.
    """
    asked = assign_block(pairs, blocks).select("block", F.col("query_hash").alias("text_hash"))
    of_queries = asked.distinct().join(queries, on="text_hash", how="inner")
    offered = pairs.select(F.col("item_hash").alias("text_hash")).distinct()
    of_items = offered.join(items, on="text_hash", how="inner").withColumn(
        "block", _hash_block(F.col("text_hash"), blocks)
    )
    terms = statistics.where(F.col("kind") == TERM).select(
        F.col("value").alias("text_hash"), "items"
    )
    of_terms = (
        of_queries.select("block", F.explode("tokens").alias("text_hash"))
        .distinct()
        .join(terms, on="text_hash", how="inner")
    )
    columns = ["block", "text_hash", *READING_COLUMNS, "embedding"]
    return (
        of_queries.select(*columns, F.lit("query").alias("kind"))
        .unionByName(of_items.select(*columns, F.lit("item").alias("kind")))
        .unionByName(of_terms.withColumn("kind", F.lit("term")), allowMissingColumns=True)
    )


def _count_missing(needed: DataFrame, known: DataFrame) -> int:
    return needed.join(known, on="text_hash", how="left_anti").count()


def _hash_block(item_hash: Column, blocks: int) -> Column:
    return F.pmod(F.xxhash64(item_hash), F.lit(blocks)).cast("int")
