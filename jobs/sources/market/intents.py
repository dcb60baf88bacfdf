"""Query texts of the simulated market and what the shopper means by them."""

from itertools import combinations

from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from conf.sections.source import SimulatedSource
from features.split import normalised
from jobs.sources.market.catalogue import (
    ATTRIBUTES,
    any_of,
    item_type_index,
    shards,
    with_attributes,
)
from jobs.sources.market.draws import Draws, entry, literals, lookup
from jobs.sources.market.vocabulary import COLOURS, MODIFIERS, TYPES

MAX_WORDS = 5
_MAX_NAMED = 3


def intents(spark: SparkSession, source: SimulatedSource, draws: Draws) -> DataFrame:
    """One row per query text.

    Columns: text_number (from 0, also the rank of its traffic), query_text, shard, type_index,
    and wants_<attribute> for brand, colour, size and material, null where not named.
    The named attributes are those of a target item, so something fits every query.
    """
    return (
        spark.range(source.queries)
        .withColumnRenamed("id", "text_number")
        .transform(lambda df: _with_target(df, source, draws))
        .transform(lambda df: with_attributes(df, draws))
        .transform(lambda df: _with_wants(df, source, draws))
        .withColumn("query_text", _typed(_wording(source, draws), source, draws))
        .transform(_distinct)
        .select("text_number", "query_text", "shard", "type_index", *map(wants, ATTRIBUTES))
    )


def wants(attribute: str) -> str:
    """Column of the attribute's value that the query names; null where it names none."""
    return f"wants_{attribute}"


def _with_target(df: DataFrame, source: SimulatedSource, draws: Draws) -> DataFrame:
    count = shards(source)
    text = F.col("text_number")
    shard = text % count
    target = draws.below(source.items // count, "target", text) * count + shard
    return df.withColumns(
        {
            "shard": shard.cast("int"),
            "number": target,
            "type_index": item_type_index(draws, target),
        }
    )


def _with_wants(df: DataFrame, source: SimulatedSource, draws: Draws) -> DataFrame:
    """Name 0 to 3 attributes; head queries name fewer."""
    text = F.col("text_number")
    depth = F.log(text + 1.0) / F.log(F.lit(source.queries + 1.0)) - 0.5
    tendency = draws.uniform("named", text) + 0.3 * depth
    named = sum((F.when(tendency > bar, 1).otherwise(0) for bar in (0.12, 0.55, 0.9)), F.lit(0))
    order = {a: draws.uniform(f"named/{a}", text) for a in ATTRIBUTES}
    place = {a: F.lit(0) for a in ATTRIBUTES}
    for a, b in combinations(ATTRIBUTES, 2):
        first = (order[a] < order[b]).cast("int")
        place[b], place[a] = place[b] + first, place[a] + 1 - first
    return df.withColumn("named", named).withColumns(
        {wants(a): F.when(place[a] < F.col("named"), F.col(a)) for a in ATTRIBUTES}
    )


def _wording(source: SimulatedSource, draws: Draws) -> Column:
    """The named attributes and the type in one of three orders."""
    text = F.col("text_number")
    name = _spoken_type(source, draws)
    brand, material = F.lower(wants("brand")), F.col(wants("material"))
    colour, size = _spoken_colour(source, draws), _spoken_size(draws)
    orders = (
        F.concat_ws(" ", colour, brand, material, name, size),
        F.concat_ws(" ", size, colour, material, name, brand),
        F.concat_ws(" ", brand, material, name, colour, size),
    )
    order = draws.below(len(orders), "wording", text)
    return entry(F.array(*orders), order)


def _spoken_type(source: SimulatedSource, draws: Draws) -> Column:
    text = F.col("text_number")
    synonyms = lookup([t.synonyms for t in TYPES], F.col("type_index"))
    replaced = draws.uniform("replaced/type", text) < source.synonym_share
    synonym = any_of(synonyms, draws, "synonym/type", text)
    return F.when(replaced, synonym).otherwise(F.col("item_type"))


def _spoken_colour(source: SimulatedSource, draws: Draws) -> Column:
    text, colour = F.col("text_number"), F.col(wants("colour"))
    place = F.array_position(literals([name for name, _ in COLOURS]), colour) - 1
    options = lookup([others for _, others in COLOURS], place)
    synonym = any_of(options, draws, "synonym/colour", text)
    replaced = draws.uniform("replaced/colour", text) < source.synonym_share
    return F.when(replaced, synonym).otherwise(colour)


def _spoken_size(draws: Draws) -> Column:
    """24in or 24 in; always in one word where three attributes are named, to keep to five words."""
    text, size = F.col("text_number"), F.col(wants("size"))
    joined = (draws.uniform("size", text) < 0.5) | (F.col("named") == _MAX_NAMED)
    return F.when(joined, F.regexp_replace(size, " ", "")).otherwise(size)


def _typed(wording: Column, source: SimulatedSource, draws: Draws) -> Column:
    """The wording, or with two letters swapped or one left out (never the first or last)."""
    text = F.col("text_number")
    length = F.length(wording)
    at = (draws.below(F.greatest(length - 3, F.lit(1)), "typo/at", text) + 2).cast("int")
    one = F.lit(1)
    before, here = F.substring(wording, one, at - 1), F.substring(wording, at, one)
    following, rest = F.substring(wording, at + 1, one), F.substring(wording, at + 2, length)
    swapped = F.concat(before, following, here, rest)
    dropped = F.concat(before, following, rest)
    mistyped = F.when(draws.uniform("typo/kind", text) < 0.5, swapped).otherwise(dropped)
    has_typo = (draws.uniform("typo", text) < source.typo_share) & (length >= 5)
    return F.when(has_typo, mistyped).otherwise(wording)


def _distinct(df: DataFrame) -> DataFrame:
    """Put modifiers before a text that another query has already, and drop what is still equal."""
    same = Window.partitionBy(normalised(F.col("query_text"))).orderBy("text_number")
    again = F.row_number().over(same) - 1
    first = F.when(F.col("again") > 0, lookup(MODIFIERS, (F.col("again") - 1) % len(MODIFIERS)))
    round_ = F.floor((F.col("again") - 1) / len(MODIFIERS))
    second = F.when(round_ > 0, lookup(MODIFIERS, (round_ - 1) % len(MODIFIERS)))
    written = F.concat_ws(" ", second, first, "query_text")
    return (
        df.withColumn("again", again)
        .where(F.col("again") <= len(MODIFIERS) * (len(MODIFIERS) + 1))
        .withColumn("query_text", written)
        .where(F.size(F.split("query_text", " ")) <= MAX_WORDS)
    )
