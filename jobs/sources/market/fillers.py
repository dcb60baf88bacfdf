"""Popular items of other kinds that fill up the pools of real queries."""

from math import pi
from typing import TYPE_CHECKING

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from conf.sections.source import HomeDepotSource
from features.draws import draw_hash

if TYPE_CHECKING:
    from udfs.market.world import World


def draw_fillers(
    texts: DataFrame, judged: DataFrame, items: DataFrame, world: "World[HomeDepotSource]"
) -> DataFrame:
    """Draw one row per text and filler: text_number, item_id, grade 0.

    A filler wins a random group of products by its shelf score. It is of none of the types of the
    items judged for the text, and its title shares no word with the text.

    Args:
        texts: text_number, query_text.
        judged: text_number, item_id.
        items: item_id, title, item_type, popularity, cheapness.
    """
    policy, seed = world.source.policy, world.seed
    score = policy.popularity * F.col("popularity") + policy.price * F.col("cheapness")
    shelf = items.select(
        "item_id",
        "item_type",
        _split_words("title").alias("title_words"),
        score.alias("shelf_score"),
        _draw_group(world, "filler group", "item_id"),
    )
    radius = F.sqrt(F.lit(-2.0) * F.log(draw_uniform(seed, "radius", "text_number", "item_id")))
    noise = radius * F.cos(F.lit(2 * pi) * draw_uniform(seed, "angle", "text_number", "item_id"))
    fits = F.arrays_overlap("title_words", "text_words") | F.array_contains(
        F.col("judged_types"), F.col("item_type")
    )
    return (
        _drawn_groups(texts, _judged_types(judged, shelf), world)
        .join(shelf, on="group", how="inner")
        .where(~F.coalesce(fits, F.lit(False)))
        .withColumn("score", F.col("shelf_score") + 0.5 * noise)
        .groupBy("text_number", "draw")
        .agg(F.max_by("item_id", "score").alias("item_id"))
        .select("text_number", "item_id", F.lit(0).alias("grade"))
        .distinct()
        .join(judged, on=["text_number", "item_id"], how="left_anti")
    )


def _judged_types(judged: DataFrame, shelf: DataFrame) -> DataFrame:
    return (
        judged.join(shelf.select("item_id", "item_type"), on="item_id", how="inner")
        .groupBy("text_number")
        .agg(F.collect_set("item_type").alias("judged_types"))
    )


def _drawn_groups(texts: DataFrame, types: DataFrame, world: "World[HomeDepotSource]") -> DataFrame:
    count = world.source.fillers
    draw = F.explode(F.sequence(F.lit(1), F.lit(count)))
    return (
        texts.join(types, on="text_number", how="left")
        .where(F.lit(count > 0))
        .select(
            "text_number",
            "judged_types",
            _split_words("query_text").alias("text_words"),
            draw.alias("draw"),
        )
        .select("*", _draw_group(world, "filler draw", "text_number", "draw"))
    )


def draw_uniform(seed: int, purpose: str, *keys: str) -> Column:
    """Draw a double, uniform on (0, 1), as a function of seed, purpose and the key columns."""
    hashed = draw_hash(seed, purpose, *keys)
    return (F.shiftrightunsigned(hashed, 12) + F.lit(0.5)) * F.lit(2.0**-52)


def _draw_group(world: "World[HomeDepotSource]", purpose: str, *keys: str) -> Column:
    drawn = draw_uniform(world.seed, purpose, *keys) * world.source.filler_groups
    return F.floor(drawn).alias("group")


def _split_words(column: str) -> Column:
    """Split into words of three letters or more, lower case, without a plural s."""
    words = F.split(F.regexp_replace(F.lower(column), r"[^a-z]+", " "), " ")
    singular = F.transform(words, lambda w: F.regexp_replace(w, "(?<=[a-z]{2}[^s])s$", ""))
    return F.filter(singular, lambda w: F.length(w) >= 3)
