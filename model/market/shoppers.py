"""Planted behaviour of shoppers: the probabilities of the funnel.

The truth of record is the same under every click model of `clicks`: true_p_click is the
probability that an examined item is clicked because it attracts, which is P(click) at position 1
of any page where no trust is planted. With trust bias the logged rate at position 1 lies above it
(p + trust (1 - p)), by an amount that never changes the order of items, and carts and purchases
follow clicks out of attraction only, so true_p_cart and true_p_purchase are what position 1 gives.
"""

from collections.abc import Sequence
from math import hypot
from typing import NamedTuple

import numpy as np

from conf.sections.market import ShoppersConf
from model.arrays import Floats
from model.market.draws import Bools, Draws, Keys, as_keys, compute_sigmoid

RELEVANCE_SD = 0.7
"""Spread of the planted relevance among the items that compete for a page, about (grades)."""


def spread_sensitivity(conf: ShoppersConf, regions: Sequence[str]) -> dict[str, float]:
    """Spread the effect of cheapness evenly over the regions (logit per sd), in the order of
    `regions`."""
    low, high = conf.price_sensitivity_min, conf.price_sensitivity_max
    steps = max(1, len(regions) - 1)
    return {region: low + (high - low) * i / steps for i, region in enumerate(regions)}


def draw_taste(conf: ShoppersConf, draws: Draws, regions: Keys, brands: Keys) -> Floats:
    """Draw a region's liking of a brand (logit)."""
    return conf.brand_taste_sd * draws.draw_normal("taste", regions, brands)


def draw_price_level(draws: Draws, regions: Keys) -> Floats:
    """Draw a region's prices over the catalogue's, between 0.9 and 1.1."""
    return 0.9 + 0.2 * draws.draw_uniform("price level", regions)


class MarketPairs(NamedTuple):
    """Pairs of query text and item, each field [N].

    Attributes:
        text: key of the text, lower(trim(text)).
        item: key of the item.
        brand: key of the brand.
        has_brand: whether there is one: no taste where there is none.
        relevance: planted, on the scale of the grades.
        popularity, quality, cheapness: of the item (z-scores).
    """

    text: Keys
    item: Keys
    brand: Keys
    has_brand: Bools
    relevance: Floats
    popularity: Floats
    quality: Floats
    cheapness: Floats


class Funnel(NamedTuple):
    """Planted behaviour by region and pair, each [R, N].

    p_click given examined (the sigmoid of click_logit), p_cart given click, p_purchase given cart.
    """

    click_logit: Floats
    p_click: Floats
    p_cart: Floats
    p_purchase: Floats


def compute_funnel(
    pairs: MarketPairs, conf: ShoppersConf, regions: Sequence[str], draws: Draws
) -> Funnel:
    """Compute the funnel: a pure function of query text, region, item and relevance, whatever the
    page and the day."""
    sensitivity = np.array(list(spread_sensitivity(conf, regions).values()))[:, None]
    cheap = sensitivity * pairs.cheapness
    fit = conf.relevance_strength * (pairs.relevance - 1)
    quality = conf.quality * pairs.quality
    unexplained = conf.pair_noise_sd * draws.draw_normal("unexplained", pairs.text, pairs.item)
    taste = draw_taste(conf, draws, as_keys(regions)[:, None], pairs.brand)
    click = (
        conf.click_intercept
        + fit
        + conf.popularity * pairs.popularity
        + quality
        + cheap
        + np.where(pairs.has_brand, taste, 0.0)
        + unexplained
    )
    later = fit + quality + 0.5 * cheap
    cart, purchase = conf.cart_intercept + later, conf.purchase_intercept + later
    return Funnel(click, compute_sigmoid(click), compute_sigmoid(cart), compute_sigmoid(purchase))


def estimate_click_spread(conf: ShoppersConf) -> float:
    """Compute the spread of the click logit over pairs, about: the planted effects as if
    independent."""
    price = (conf.price_sensitivity_min + conf.price_sensitivity_max) / 2
    fit = conf.relevance_strength * RELEVANCE_SD
    return hypot(fit, conf.popularity, conf.quality, price, conf.brand_taste_sd, conf.pair_noise_sd)
