"""Planted behaviour of shoppers: the probabilities of the funnel.

The truth of record is the same under every click model of `clicks`: true_p_click is the
probability that an examined item is clicked because it attracts, which is P(click) at position 1
of any page where no trust is planted. With trust bias the logged rate at position 1 lies above it
(p + trust (1 - p)), by an amount that never changes the order of items, and carts and purchases
follow clicks out of attraction only, so true_p_cart and true_p_purchase are what position 1 gives.
"""

from collections.abc import Sequence
from math import hypot

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from conf.sections.market import ShoppersConf
from jobs.sources.market.draws import Draws, sigmoid

RELEVANCE_SD = 0.7
"""Spread of the planted relevance among the items that compete for a page, about (grades)."""


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
    """Add click_logit, p_click (given examined), p_cart (given click), p_purchase (given cart).

    A pure function of query text, region, item and relevance, whatever the page and the day.
    p_click = sigmoid(click_logit).

    Args:
        pairs: query_text, region, item_id, relevance (double, on the scale of the grades), brand,
            popularity, quality, cheapness.
    """
    sensitivity = price_sensitivity(conf, regions)
    by_region = F.create_map(*(F.lit(x) for entry in sensitivity.items() for x in entry))
    cheap = by_region[F.col("region")] * F.col("cheapness")
    fit = conf.relevance_strength * (F.col("relevance") - 1)
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
            "click_logit": click,
            "p_click": sigmoid(click),
            "p_cart": sigmoid(conf.cart_intercept + later),
            "p_purchase": sigmoid(conf.purchase_intercept + later),
        }
    )


def click_spread(conf: ShoppersConf) -> float:
    """Spread of the click logit over pairs, about: the planted effects as if independent."""
    price = (conf.price_sensitivity_min + conf.price_sensitivity_max) / 2
    fit = conf.relevance_strength * RELEVANCE_SD
    return hypot(fit, conf.popularity, conf.quality, price, conf.brand_taste_sd, conf.pair_noise_sd)


def true_probabilities() -> list[Column]:
    """P(click), P(cart), P(purchase) of an examined item by attraction, without trust."""
    carted = F.col("p_click") * F.col("p_cart")
    return [
        F.col("p_click").alias("true_p_click"),
        carted.alias("true_p_cart"),
        (carted * F.col("p_purchase")).alias("true_p_purchase"),
    ]
