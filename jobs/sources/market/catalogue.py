"""Items of the simulated market."""

from datetime import date

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from conf.sections.source import SimulatedSource
from jobs.sources.market.draws import Draws, entry, lookup
from jobs.sources.market.offers import listed_on, price_of, with_latents
from jobs.sources.market.vocabulary import (
    BRANDS,
    BRANDS_PER_TYPE,
    COLOURS,
    MATERIALS,
    SERIES,
    SIZES,
    TYPES,
    brand_of,
)

SHARD_ITEMS = 20_000
"""Items of one shard. A query looks for items in its own shard only, which keeps the work of
making pools proportional to the number of queries, whatever the size of the catalogue."""
ATTRIBUTES = ("brand", "colour", "size", "material")


def shards(source: SimulatedSource) -> int:
    """Number of shards of the catalogue."""
    return max(1, source.items // SHARD_ITEMS)


def catalogue(spark: SparkSession, source: SimulatedSource, draws: Draws, first: date) -> DataFrame:
    """One row per item: attributes, title, price, latents, and the shard it belongs to.

    Args:
        first: first day of the log; every item is listed before it.
    """
    number = F.col("number")
    key = {
        "item_id": F.concat(F.lit("i"), F.lpad(number.cast("string"), 9, "0")),
        "shard": (number % shards(source)).cast("int"),
        "type_index": item_type_index(draws, number),
    }
    middle = lookup([t.price for t in TYPES], F.col("type_index"))
    return (
        spark.range(source.items)
        .withColumnRenamed("id", "number")
        .withColumns(key)
        .transform(lambda df: with_attributes(df, draws))
        .transform(lambda df: with_latents(df, draws))
        .withColumns(
            {
                "price": price_of(middle),
                "title": _title(draws),
                "listed_on": listed_on(draws, first),
            }
        )
    )


def item_type_index(draws: Draws, number: Column) -> Column:
    """Index into TYPES; the first types are somewhat more common."""
    skewed = F.pow(draws.uniform("type", number), F.lit(1.2))
    return F.floor(skewed * len(TYPES)).cast("int")


def with_attributes(df: DataFrame, draws: Draws) -> DataFrame:
    """Add item_type, brand, colour, size and material of the item with `number` and `type_index`.

    A query names attributes of a target item: it calls this with the target's number.
    """
    number, type_index = F.col("number"), F.col("type_index")
    brands = [[BRANDS[brand_of(t, c)] for c in range(BRANDS_PER_TYPE)] for t in range(len(TYPES))]
    brand = F.floor(F.pow(draws.uniform("brand", number), F.lit(1.5)) * BRANDS_PER_TYPE)
    sizes = lookup([SIZES[t.sizes] for t in TYPES], type_index)
    materials = lookup([MATERIALS[t.materials] for t in TYPES], type_index)
    colour = draws.below(len(COLOURS), "colour", number)
    return df.withColumns(
        {
            "item_type": lookup([t.name for t in TYPES], type_index),
            "brand": entry(lookup(brands, type_index), brand),
            "colour": lookup([name for name, _ in COLOURS], colour),
            "size": any_of(sizes, draws, "size", number),
            "material": any_of(materials, draws, "material", number),
        }
    )


def any_of(options: Column, draws: Draws, purpose: str, key: Column) -> Column:
    """A random entry of an array column."""
    return entry(options, draws.below(F.size(options), purpose, key))


def _title(draws: Draws) -> Column:
    """The title as a seller writes it: one of three orders, some words left out or replaced."""
    number = F.col("number")
    brand, size = F.col("brand"), F.regexp_replace("size", r"( in| ft| oz| gal)$", "$1.")
    name = F.initcap(_written_type(draws))
    colour = F.initcap("colour")
    material = F.when(draws.uniform("title/material", number) < 0.9, F.initcap("material"))
    series = lookup(SERIES, draws.below(len(SERIES), "title/series", number))
    packs = F.concat(F.lit("("), draws.below(3, "title/pack", number) + 2, F.lit("-Pack)"))
    pack = F.when(draws.uniform("title/packed", number) < 0.1, packs)
    orders = (
        F.concat_ws(" ", brand, size, material, name, F.lit("in"), colour, pack),
        F.concat_ws(" ", brand, series, colour, material, name, F.concat(F.lit("- "), size), pack),
        F.concat_ws(" ", series, size, colour, name, F.lit("by"), brand, pack),
    )
    style = draws.below(len(orders), "title/order", number)
    return entry(F.array(*orders), style)


def _written_type(draws: Draws) -> Column:
    """The type's name, or now and then another name for it."""
    number = F.col("number")
    synonyms = lookup([t.synonyms for t in TYPES], F.col("type_index"))
    replaced = draws.uniform("title/replaced", number) < 0.12
    synonym = any_of(synonyms, draws, "title/synonym", number)
    return F.when(replaced, synonym).otherwise(F.col("item_type"))
