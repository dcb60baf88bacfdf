"""Planted behaviour of shoppers: examination, and the probabilities of the funnel."""

from collections.abc import Sequence
from itertools import pairwise

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from conf.sections.market import ShoppersConf
from jobs.sources.market.draws import Draws, sigmoid

EXAMINATION_POINTS = ((1, 0.310), (2, 0.106), (3, 0.077), (10, 0.027), (25, 0.015))
"""(position, click rate) measured on a public log of hotel searches; only ratios are used."""


def examination(positions: int) -> list[float]:
    """P(examined) at positions 1 .. `positions`, 1 at the first.

    Geometric between the named points, and on by the last segment's rate behind them.
    """
    return [_examined_at(p) / EXAMINATION_POINTS[0][1] for p in range(1, positions + 1)]


def _examined_at(position: int) -> float:
    segments = list(pairwise(EXAMINATION_POINTS))
    (a, at_a), (b, at_b) = next((s for s in segments if position <= s[1][0]), segments[-1])
    return float(at_a * (at_b / at_a) ** ((position - a) / (b - a)))


def price_sensitivity(conf: ShoppersConf, regions: Sequence[str]) -> dict[str, float]:
    """Effect of cheapness by region (logit per sd), evenly spread in the order of `regions`."""
    low, high = conf.price_sensitivity_min, conf.price_sensitivity_max
    steps = max(1, len(regions) - 1)
    return {region: low + (high - low) * i / steps for i, region in enumerate(regions)}


def brand_taste(conf: ShoppersConf, draws: Draws) -> Column:
    """A region's liking of a brand (logit); no taste where there is no brand."""
    drawn = conf.brand_taste_sd * draws.normal("taste", F.col("region"), F.col("brand"))
    return F.when(F.col("brand").isNotNull(), drawn).otherwise(0.0)


def price_level(draws: Draws) -> Column:
    """A region's prices over the catalogue's, between 0.9 and 1.1."""
    return 0.9 + 0.2 * draws.uniform("price level", F.col("region"))


def with_probabilities(
    pairs: DataFrame, conf: ShoppersConf, regions: Sequence[str], draws: Draws
) -> DataFrame:
    """Add p_click (given examined), p_cart (given click) and p_purchase (given cart).

    A pure function of query text, region, item and grade, whatever the page and the day.

    Args:
        pairs: query_text, region, item_id, grade, brand, popularity, quality, cheapness.
    """
    sensitivity = price_sensitivity(conf, regions)
    by_region = F.create_map(*(F.lit(x) for entry in sensitivity.items() for x in entry))
    cheap = by_region[F.col("region")] * F.col("cheapness")
    fit = conf.relevance_strength * (F.col("grade") - 1)
    quality = conf.quality * F.col("quality")
    unexplained = conf.pair_noise_sd * draws.normal(
        "unexplained", F.col("query_text"), F.col("item_id")
    )
    click = (
        conf.click_intercept
        + fit
        + conf.popularity * F.col("popularity")
        + quality
        + cheap
        + brand_taste(conf, draws)
        + unexplained
    )
    later = fit + quality + 0.5 * cheap
    return pairs.withColumns(
        {
            "p_click": sigmoid(click),
            "p_cart": sigmoid(conf.cart_intercept + later),
            "p_purchase": sigmoid(conf.purchase_intercept + later),
        }
    )


def true_probabilities() -> list[Column]:
    """P(click), P(cart), P(purchase) when shown at position 1, where all is examined."""
    carted = F.col("p_click") * F.col("p_cart")
    return [
        F.col("p_click").alias("true_p_click"),
        carted.alias("true_p_cart"),
        (carted * F.col("p_purchase")).alias("true_p_purchase"),
    ]
