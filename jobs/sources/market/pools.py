"""Which items compete for a query's result page, and how well each fits the query."""

from functools import reduce

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from conf.sections.market import PolicyConf
from conf.sections.source import SimulatedSource
from jobs.sources.market.catalogue import ATTRIBUTES, SHARD_ITEMS
from jobs.sources.market.draws import Draws
from jobs.sources.market.intents import wants
from jobs.sources.market.vocabulary import TYPES

MISFIT_CHOICE = 10
"""Items among which a misfit is the one with the best shelf score."""


def grade_by_attributes() -> Column:
    """2 all named attributes match, 1 the type matches and an attribute does not, 0 else.

    Expects type_index and wants_* of the query, item_type_index and brand, colour, size and
    material of the item.
    """
    fits = F.col("type_index") == F.col("item_type_index")
    return F.when(fits & (_mismatches() == 0), 2).when(fits, 1).otherwise(0)


def shelf_score(policy: PolicyConf) -> Column:
    """What the logger thinks of an item whatever the query: popular and cheap is good."""
    return policy.popularity * F.col("popularity") + policy.price * F.col("cheapness")


def pools(queries: DataFrame, items: DataFrame, source: SimulatedSource, draws: Draws) -> DataFrame:
    """The pairs that compete: text_number, item_id, grade; one row per pair.

    A pool holds the best matches by attributes, the most popular items of the right type, and
    popular cheap items of other types, as a log's result pages do.
    """
    shelf = items.select(
        "item_id",
        "number",
        "shard",
        F.col("type_index").alias("item_type_index"),
        *ATTRIBUTES,
        shelf_score(source.policy).alias("shelf_score"),
    )
    pairs = (
        _matches(queries, shelf, source, draws)
        .unionByName(_popular(queries, shelf, source))
        .unionByName(_misfits(queries, shelf, source, draws))
    )
    return pairs.groupBy("text_number", "item_id").agg(F.max("grade").alias("grade"))


def _matches(
    queries: DataFrame, shelf: DataFrame, source: SimulatedSource, draws: Draws
) -> DataFrame:
    """The items of the right type that miss the fewest named attributes.

    Of the items that miss one, only a random part is looked at: enough to fill a pool.
    """
    per_type = min(source.items, SHARD_ITEMS) / len(TYPES)
    tie = draws.uniform("match", F.col("text_number"), F.col("number"))
    looked_at = (F.col("mismatches") == 0) | (F.col("tie") < 4 * source.pool_matches / per_type)
    best = Window.partitionBy("text_number").orderBy(F.col("mismatches") + F.col("tie"))
    return (
        queries.join(shelf, on=_same_type(queries, shelf), how="inner")
        .select("text_number", "item_id", _mismatches().alias("mismatches"), tie.alias("tie"))
        .where(looked_at)
        .withColumn("place", F.row_number().over(best))
        .where(F.col("place") <= source.pool_matches)
        .select(
            "text_number",
            "item_id",
            F.when(F.col("mismatches") == 0, 2).otherwise(1).alias("grade"),
        )
    )


def _popular(queries: DataFrame, shelf: DataFrame, source: SimulatedSource) -> DataFrame:
    best = Window.partitionBy("shard", "item_type_index").orderBy(
        F.col("shelf_score").desc(), F.col("number")
    )
    tops = shelf.withColumn("place", F.row_number().over(best)).where(
        F.col("place") <= source.pool_popular
    )
    return queries.join(tops, on=_same_type(queries, tops), how="inner").select(
        "text_number", "item_id", _graded()
    )


def _misfits(
    queries: DataFrame, shelf: DataFrame, source: SimulatedSource, draws: Draws
) -> DataFrame:
    """The winner of each of a few random groups of items of other types.

    Groups are drawn for each query, so that misfits differ between queries; an item that shares
    a named attribute is more likely, as it is in retrieval by words.
    """
    groups = max(1, source.items // MISFIT_CHOICE)
    drawn = queries.withColumn(
        "draw", F.explode(F.sequence(F.lit(1), F.lit(max(1, source.pool_misfits))))
    ).withColumn("group", draws.below(groups, "misfit", F.col("text_number"), F.col("draw")))
    grouped = shelf.withColumn("group", F.floor(F.col("number") / MISFIT_CHOICE))
    shared = reduce(lambda a, b: a + b, (_agrees(a) for a in ATTRIBUTES))
    noise = draws.normal("misfit", F.col("text_number"), F.col("number"))
    return (
        drawn.drop("shard")
        .join(grouped, on="group", how="inner")
        .where(F.col("type_index") != F.col("item_type_index"))
        .where(F.lit(source.pool_misfits > 0))
        .withColumn("score", F.col("shelf_score") + shared + 0.5 * noise)
        .groupBy("text_number", "draw")
        .agg(F.max_by("item_id", "score").alias("item_id"))
        .select("text_number", "item_id", F.lit(0).alias("grade"))
    )


def _same_type(queries: DataFrame, shelf: DataFrame) -> Column:
    return (queries["shard"] == shelf["shard"]) & (
        queries["type_index"] == shelf["item_type_index"]
    )


def _graded() -> Column:
    return grade_by_attributes().alias("grade")


def _agrees(attribute: str) -> Column:
    named = F.col(wants(attribute))
    return F.when(named == F.col(attribute), 1).otherwise(0)


def _mismatches() -> Column:
    """Number of named attributes that the item does not have."""
    differs = (F.when(F.col(wants(a)) != F.col(a), 1).otherwise(0) for a in ATTRIBUTES)
    return reduce(lambda a, b: a + b, differs)
