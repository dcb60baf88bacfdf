"""Lays out pairs and embeddings so that each vector travels once per block, not once per pair.

A block is a share of the items, by hash; with its pairs go the vectors of its items and of the
texts that they are paired with.
"""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from features.text.normal_form import item_title, text_hash


class MissingEmbeddingsError(RuntimeError):
    """Texts have no embedding of the encoder in use; the message says how to mend it."""


def check_embedded(texts: DataFrame, items: DataFrame, embeddings: DataFrame) -> None:
    """Raise MissingEmbeddingsError where a query text or an item's title has no embedding."""
    title = item_title(F.col("title"), F.col("brand"))
    needed = texts.select(text_hash(F.col("text")).alias("text_hash")).union(
        items.select(text_hash(title))
    )
    missing = needed.join(embeddings, on="text_hash", how="left_anti").count()
    if missing:
        raise MissingEmbeddingsError(
            f"{missing} texts have no embedding of this encoder; run `counterpoise embed_texts` "
            "for this conf first"
        )


def assign_block(pairs: DataFrame, blocks: int) -> DataFrame:
    """Add `block` (int) to pairs with an item_id."""
    return pairs.withColumn("block", _hash_block(blocks))


def blocked_vectors(
    pairs: DataFrame, texts: DataFrame, items: DataFrame, embeddings: DataFrame, blocks: int
) -> DataFrame:
    """Return what the pairs of each block need: block, kind (text or item), name, embedding.

    Args:
        pairs: text, item_id.
        texts: text; the distinct query texts.
        items: rows of the items table.
        embeddings: text_hash, embedding.
    """
    of_texts = (
        assign_block(pairs, blocks)
        .select("block", "text")
        .distinct()
        .join(_text_vectors(texts, embeddings), on="text", how="inner")
        .select("block", F.lit("text").alias("kind"), F.col("text").alias("name"), "embedding")
    )
    of_items = _item_vectors(items, embeddings).select(
        _hash_block(blocks).alias("block"),
        F.lit("item").alias("kind"),
        F.col("item_id").alias("name"),
        "embedding",
    )
    return of_texts.unionByName(of_items)


def _text_vectors(texts: DataFrame, embeddings: DataFrame) -> DataFrame:
    hashed = texts.select("text", text_hash(F.col("text")).alias("text_hash"))
    return hashed.join(embeddings, on="text_hash", how="inner").select("text", "embedding")


def _item_vectors(items: DataFrame, embeddings: DataFrame) -> DataFrame:
    title = item_title(F.col("title"), F.col("brand"))
    hashed = items.select("item_id", text_hash(title).alias("text_hash"))
    return hashed.join(embeddings, on="text_hash", how="inner").select("item_id", "embedding")


def _hash_block(blocks: int) -> Column:
    return F.pmod(F.xxhash64("item_id"), F.lit(blocks)).cast("int")
