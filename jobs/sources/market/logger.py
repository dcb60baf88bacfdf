"""What the logger thinks of an item for a query: the weighted terms of conf `policy`."""

from math import hypot

from pyspark.sql import Column
from pyspark.sql import functions as F

from conf.sections.market import PolicyConf, ShoppersConf
from features.text.normal_form import tokens
from jobs.sources.market.draws import Draws
from jobs.sources.market.pools import shelf_score
from jobs.sources.market.shoppers import click_spread

WORDS_MEAN, WORDS_SD = 0.43, 0.32
"""Mean and spread of the share of matched words over the pairs of the default market, about."""


def logger_score(policy: PolicyConf) -> Column:
    """Score of a pair, before the day's drift.

    Expects popularity, cheapness, relevance, and where they weigh anything words_matched and
    model_score.
    """
    score = shelf_score(policy) + policy.match * F.col("relevance")
    if policy.text:
        score += policy.text * (F.col("words_matched") - WORDS_MEAN) / WORDS_SD
    if policy.model:
        score += policy.model * F.col("model_score")
    return score


def words(*texts: str) -> Column:
    """array<string>: the different tokens of the text columns."""
    return F.array_distinct(tokens(F.concat_ws(" ", *texts)))


def words_matched() -> Column:
    """Share of query_words among title_words (fraction): what a lexical logger sees of a fit."""
    shared = F.size(F.array_intersect("query_words", "title_words"))
    return shared / F.greatest(F.size("query_words"), F.lit(1))


def model_score(policy: PolicyConf, shoppers: ShoppersConf, draws: Draws) -> Column:
    """Score of last night's model (spread about 1): the click logit and an error of its own.

    The error belongs to query text, region and item, and is the same every day.
    """
    error = draws.normal("last night", F.col("query_text"), F.col("region"), F.col("item_id"))
    seen = F.col("click_logit") - shoppers.click_intercept + policy.model_error_sd * error
    spread = hypot(click_spread(shoppers), policy.model_error_sd)
    return seen / (spread or 1.0)
