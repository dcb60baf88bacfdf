"""Which colours, sizes, brands and numbers a query names, and whether an item has them.

A query names a colour or size of the catalogue where its tokens contain all tokens of it; besides
those it names the basic colour words and the numbers with a unit that it holds.
"""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from features.text import basic_colours, measures, tokens


def query_attributes(texts: DataFrame, items: DataFrame) -> DataFrame:
    """Add `colours` and `sizes` (array<string>) to text, tokens."""
    colours = named_values(texts, items.select(F.col("colour").alias("value")), "named_colours")
    sizes = named_values(texts, items.select(F.col("size").alias("value")), "named_sizes")
    words = F.col("tokens")
    return (
        texts.join(colours, on="text", how="left")
        .join(sizes, on="text", how="left")
        .withColumn("colours", _union(basic_colours(words), F.col("named_colours")))
        .withColumn("sizes", _union(measures(words), F.col("named_sizes")))
        .drop("named_colours", "named_sizes")
    )


def item_attributes(items: DataFrame) -> DataFrame:
    """item_id, brand_tokens, colours, sizes (array<string>).

    An item without a colour (size) of its own has those that its title names.
    """
    title, colour, size = (tokens(F.col(c)) for c in ("title", "colour", "size"))
    own_colours = F.array_union(_joined(colour), basic_colours(colour))
    own_sizes = F.array_union(_joined(size), measures(size))
    return items.select(
        "item_id",
        F.array_distinct(tokens(F.col("brand"))).alias("brand_tokens"),
        F.when(F.size(colour) > 0, own_colours).otherwise(basic_colours(title)).alias("colours"),
        F.when(F.size(size) > 0, own_sizes).otherwise(measures(title)).alias("sizes"),
    )


def named_values(texts: DataFrame, values: DataFrame, name: str) -> DataFrame:
    """The values whose tokens all occur in a text.

    Values are met by their first token, so the join is an equality and grows with the texts, not
    with texts x values.

    Args:
        texts: text, tokens.
        values: value (string, may repeat and be null).

    Returns:
        text, `name` (array<string>, each value as its tokens joined by a space).
    """
    vocabulary = (
        values.distinct()
        .select(tokens(F.col("value")).alias("parts"))
        .where(F.size("parts") > 0)
        .distinct()
        .withColumn("token", F.get("parts", F.lit(0)))
    )
    return (
        texts.select("text", "tokens", F.explode(F.array_distinct("tokens")).alias("token"))
        .join(vocabulary, on="token", how="inner")
        .where(F.size(F.array_except("parts", "tokens")) == 0)
        .groupBy("text")
        .agg(F.sort_array(F.collect_set(F.concat_ws(" ", "parts"))).alias(name))
    )


def three_way(named: Column, owned: Column) -> Column:
    """1.0 one of the named values is the item's, -1.0 none is, 0.0 either side names none."""
    both = (F.size(named) > 0) & (F.size(owned) > 0)
    return (
        F.when(both & F.arrays_overlap(named, owned), F.lit(1.0))
        .when(both, F.lit(-1.0))
        .otherwise(F.lit(0.0))
    )


def _joined(parts: Column) -> Column:
    return F.array(F.concat_ws(" ", parts))


def _union(first: Column, second: Column) -> Column:
    return F.array_union(first, F.coalesce(second, F.array().cast("array<string>")))
