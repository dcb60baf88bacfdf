"""The value model in Spark: new weights over stored probabilities, without the model.

The formula is that of `model.value.weights`, in the same order and precision, so both give the
same bits.
"""

from collections.abc import Mapping

from pyspark.sql import Column, Window
from pyspark.sql import functions as F

from features.lookup import Transform

Weights = tuple[float, float, float, float]


def with_value(default: Weights, by_region: Mapping[str, Weights]) -> Transform:
    """Add `value` (float) to rows with region, p_click, p_cart, p_purchase and relevance.

    Args:
        default: weights of click, cart, purchase and relevance / 2, for regions not listed.
        by_region: weights of a region.
    """
    terms = (
        F.col("p_click").cast("double"),
        F.col("p_cart").cast("double"),
        F.col("p_purchase").cast("double"),
        F.col("relevance").cast("double") / 2.0,
    )
    weights = _look_up_weights(default, by_region)
    total = weights[0] * terms[0]
    for i in range(1, 4):
        total = total + weights[i] * terms[i]
    return lambda df: df.withColumn("value", total.cast("float"))


def with_rank(*group: str) -> Transform:
    """Add `rank` from 1 within `group` by descending value; ties by item_id."""
    window = Window.partitionBy(*group).orderBy(F.desc("value"), "item_id")
    return lambda df: df.withColumn("rank", F.row_number().over(window))


def _look_up_weights(default: Weights, by_region: Mapping[str, Weights]) -> Column:
    common = _make_array(default)
    if not by_region:
        return common
    listed = [part for region, w in by_region.items() for part in (F.lit(region), _make_array(w))]
    return F.coalesce(F.try_element_at(F.create_map(*listed), F.col("region")), common)


def _make_array(weights: Weights) -> Column:
    return F.array(*map(F.lit, weights))
