"""Pairs that a log shows at several positions: what its examination curve is fitted to."""

from collections.abc import Callable

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from features.draws import take_share
from features.evaluation.lists import mask_label

PAIRS = 50_000
"""Pairs taken at most, chosen by hash: with the 2 to 12 positions of a pair they leave the curve a
standard error below .01, and they fit the driver whatever the log's size."""


def position_pairs(max_position: int) -> Callable[[DataFrame], DataFrame]:
    """Turn shown rows into one row per pair that has a click and two positions.

    Other pairs say nothing of the curve (`model.evaluation.examination`).

    Args:
        max_position: positions beyond are taken for this one.

    Returns:
        pair (long), places: array of (position, views, clicks).
    """
    position = F.least(F.col("position").cast("int"), F.lit(max_position)).alias("position")
    place = F.struct("position", "views", "clicks")

    def transform(rows: DataFrame) -> DataFrame:
        labelled = rows.where(F.col("search_id").isNotNull() & mask_label("click").isNotNull())
        pair = F.xxhash64("query_id", "item_id").alias("pair")
        counts = labelled.groupBy(pair, position).agg(
            F.count(F.lit(1)).alias("views"), F.sum("label_click").cast("double").alias("clicks")
        )
        pairs = counts.groupBy("pair").agg(
            F.collect_list(place).alias("places"), F.sum("clicks").alias("clicked")
        )
        return pairs.where((F.size("places") > 1) & (F.col("clicked") > 0)).drop("clicked")

    return transform


def pair_places(share: float) -> Callable[[DataFrame], DataFrame]:
    """Turn rows of `position_pairs` into pair, position, views and clicks, for about `share` of
    them.
    """
    drawn = take_share(F.col("pair"), share)
    return lambda pairs: pairs.where(drawn).select("pair", F.inline("places"))
