"""Which colours, sizes, brands and numbers a query names, and whether an item has them.

A query names a colour or size of the catalogue where its tokens contain all tokens of it; besides
those it names the basic colour words and the numbers with a unit that it holds.
"""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from features.text.normal_form import basic_colours, extract_measures, split_tokens


def query_attributes(texts: DataFrame, items: DataFrame) -> DataFrame:
    """Find the colours and sizes that each text names.

    Values of the catalogue are joined by their first token: an equality join, which grows with the
    texts, not with texts x values.

    Args:
        texts: text, tokens; one row per text.
        items: rows of the items table.

    Returns:
        text, tokens, colours, sizes (array<string>, a value as its tokens joined by a space).
    """
    words = F.col("tokens")
    met = texts.withColumn("token", F.explode_outer(F.array_distinct("tokens"))).join(
        _build_vocabulary(items), on="token", how="left"
    )
    all_there = F.size(F.array_except("parts", "tokens")) == 0
    values = {
        f"named_{kind}": F.collect_set(F.when(all_there & (F.col("kind") == kind), F.col("value")))
        for kind in ("colour", "size")
    }
    return (
        met.groupBy("text")
        .agg(F.first("tokens").alias("tokens"), *(v.alias(name) for name, v in values.items()))
        .select(
            "text",
            "tokens",
            F.array_union(basic_colours(words), F.col("named_colour")).alias("colours"),
            F.array_union(extract_measures(words), F.col("named_size")).alias("sizes"),
        )
    )


def item_attributes(items: DataFrame) -> DataFrame:
    """Return item_id, brand_tokens, colours, sizes (array<string>).

    An item without a colour (size) of its own has those that its title names.
    """
    title, colour, size = (split_tokens(F.col(c)) for c in ("title", "colour", "size"))
    own_colours = F.array_union(_join_parts(colour), basic_colours(colour))
    own_sizes = F.array_union(_join_parts(size), extract_measures(size))
    return items.select(
        "item_id",
        F.array_distinct(split_tokens(F.col("brand"))).alias("brand_tokens"),
        F.when(F.size(colour) > 0, own_colours).otherwise(basic_colours(title)).alias("colours"),
        F.when(F.size(size) > 0, own_sizes).otherwise(extract_measures(title)).alias("sizes"),
    )


def three_way(named: Column, owned: Column) -> Column:
    """Return 1.0 where one of the named values is the item's, -1.0 where none is, 0.0 where either
    side names none.
    """
    both = (F.size(named) > 0) & (F.size(owned) > 0)
    return (
        F.when(both & F.arrays_overlap(named, owned), F.lit(1.0))
        .when(both, F.lit(-1.0))
        .otherwise(F.lit(0.0))
    )


def _join_parts(parts: Column) -> Column:
    return F.array(F.concat_ws(" ", parts))


def _build_vocabulary(items: DataFrame) -> DataFrame:
    """Return the catalogue's colours and sizes: token (the first of parts), parts, value, kind."""
    values = F.array(
        *(
            F.struct(F.lit(kind).alias("kind"), F.col(kind).alias("raw"))
            for kind in ("colour", "size")
        )
    )
    return (
        items.select(F.inline(values))
        .distinct()
        .select("kind", split_tokens(F.col("raw")).alias("parts"))
        .where(F.size("parts") > 0)
        .distinct()
        .select(
            "kind",
            "parts",
            F.concat_ws(" ", "parts").alias("value"),
            F.get("parts", F.lit(0)).alias("token"),
        )
    )
