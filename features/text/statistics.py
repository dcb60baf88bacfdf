"""Counts the words of the catalogue, and how far the catalogue has moved since the last count."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

CATALOGUE, ITEM, TERM, COLOUR, SIZE = "catalogue", "item", "term", "colour", "size"


def count_words(items: DataFrame) -> DataFrame:
    """Count items, their terms, colours and sizes: kind, value, items, tokens.

    Items of equal texts count as often as they are.

    Args:
        items: text_hash and the columns of a reading; one row per item.
    """
    terms = items.select(F.explode(F.array_distinct("tokens")).alias("value"))
    catalogue = items.agg(
        F.lit("").alias("value"),
        F.count(F.lit(1)).alias("items"),
        F.coalesce(F.sum(F.size("tokens")), F.lit(0)).cast("long").alias("tokens"),
    )
    return (
        catalogue.withColumn("kind", F.lit(CATALOGUE))
        .unionByName(_count_values(items.select(F.col("text_hash").alias("value")), ITEM))
        .unionByName(_count_values(terms, TERM))
        .unionByName(_count_values(items.select(F.col("own_colour").alias("value")), COLOUR))
        .unionByName(_count_values(items.select(F.col("own_size").alias("value")), SIZE))
    )


def changed_share(items: DataFrame, statistics: DataFrame) -> DataFrame:
    """Measure the share of the catalogue's items that are new, gone or changed: one row, `share`
    (fraction of the items counted then; 1 where none was).

    Args:
        items: text_hash; one row per item.
        statistics: rows of text_statistics of one run.
    """
    now = items.groupBy("text_hash").agg(F.count(F.lit(1)).alias("now"))
    then = statistics.where(F.col("kind") == ITEM).select(
        F.col("value").alias("text_hash"), F.col("items").alias("then")
    )
    both = now.join(then, on="text_hash", how="full_outer").na.fill(0, ["now", "then"])
    more = F.sum(F.greatest(F.col("now") - F.col("then"), F.lit(0)))
    less = F.sum(F.greatest(F.col("then") - F.col("now"), F.lit(0)))
    counted = F.sum("then")
    return both.agg(
        F.when(counted > 0, F.greatest(more, less) / counted)
        .otherwise(F.when(more > 0, F.lit(1.0)).otherwise(F.lit(0.0)))
        .alias("share")
    )


def _count_values(values: DataFrame, kind: str) -> DataFrame:
    return (
        values.where(F.col("value") != "")
        .groupBy("value")
        .agg(F.count(F.lit(1)).alias("items"))
        .withColumns({"kind": F.lit(kind), "tokens": F.lit(0).cast("long")})
    )
