"""What the logger thinks of an item for a query: the weighted terms of conf `policy`."""

from math import hypot

from numpy.typing import ArrayLike

from conf.sections.market import PolicyConf, ShoppersConf
from model.arrays import Floats
from model.market.draws import Draws
from model.market.shoppers import MarketPairs, estimate_click_spread

WORDS_MEAN, WORDS_SD = 0.43, 0.32
"""Mean and spread of the share of matched words over the pairs of the default market, about."""


def score_shelf(policy: PolicyConf, popularity: Floats, cheapness: Floats) -> Floats:
    """Score what the logger thinks of an item whatever the query: popular and cheap is good."""
    return policy.popularity * popularity + policy.price * cheapness


def score_pairs(
    policy: PolicyConf,
    pairs: MarketPairs,
    words_matched: Floats | float = 0.0,
    model_score: Floats | float = 0.0,
) -> Floats:
    """Score pairs before the day's drift, in the shape that the terms broadcast to.

    Args:
        policy: weights of the terms.
        pairs: popularity, cheapness, relevance.
        words_matched: share of the query's words that title and brand hold (fraction).
        model_score: see `score_by_model`.
    """
    return (
        score_shelf(policy, pairs.popularity, pairs.cheapness)
        + policy.match * pairs.relevance
        + policy.text * (words_matched - WORDS_MEAN) / WORDS_SD
        + policy.model * model_score
    )


def score_by_model(
    policy: PolicyConf, shoppers: ShoppersConf, click_logit: Floats, draws: Draws, *keys: ArrayLike
) -> Floats:
    """Score pairs by last night's model (spread about 1): the click logit and an error of its own.

    The error belongs to the `keys`, query text, region and item, and is the same every day.
    """
    seen = click_logit - shoppers.click_intercept
    if policy.model_error_sd:
        seen = seen + policy.model_error_sd * draws.draw_normal("last night", *keys)
    return seen / (hypot(estimate_click_spread(shoppers), policy.model_error_sd) or 1.0)
