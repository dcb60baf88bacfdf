"""The orders that are compared: each ranker is a score column over the rows of EXAMPLE_SCORES."""

from collections.abc import Callable, Mapping, Sequence

from pyspark.sql import Column
from pyspark.sql import functions as F

from conf.sections.value import Weights
from features.contracts.training import TASKS

REFERENCE = "engagement_only"
BASELINES = {"bm25": "pair_bm25", "popularity": "item_region_popularity"}
"""Rankers that are one feature each."""
LOGGED = "logged"
"""Ranker that is the order of the page as it was shown."""
LOG_FED = frozenset({"engagement_only", "joint", "relevance_only", "popularity", LOGGED})
"""Rankers that learn from or count the log: with simulated engagement they rest on it."""


def by_region(
    weights: Mapping[str, Weights], default: Weights, of: Callable[[Weights], float]
) -> Column:
    """Return a weight as a column of the row's `region`; a region that is not listed takes
    `default`.
    """
    column = F.lit(float(of(default)))
    for region in sorted(weights):
        weight = F.lit(float(of(weights[region])))
        column = F.when(F.col("region") == region, weight).otherwise(column)
    return column


def weigh_engagement(
    weights: Mapping[str, Weights], default: Weights, parts: Sequence[Column]
) -> Column:
    """Weigh three columns a, b, c by region: w_click a + w_cart b + w_purchase c."""
    click, cart, purchase = (part.cast("double") for part in parts)
    return (
        by_region(weights, default, lambda w: w.click) * click
        + by_region(weights, default, lambda w: w.cart) * cart
        + by_region(weights, default, lambda w: w.purchase) * purchase
    )


def predicted_engagement(weights: Mapping[str, Weights], default: Weights) -> Column:
    """Return the engagement part of the value model."""
    return weigh_engagement(weights, default, [F.col(f"p_{task}") for task in TASKS])


def model_rankers(weights: Mapping[str, Weights], default: Weights) -> dict[str, Column]:
    """Name -> score of every ranker that can order any row.

    `joint` is the value model with the weights in force; `engagement_only` the same with a
    relevance weight of 0; `random` ties all items, so that it has the mean over all orders.
    """
    engaged = predicted_engagement(weights, default)
    relevance = F.col("relevance").cast("double") / 2.0
    return {
        "engagement_only": engaged,
        "joint": engaged + by_region(weights, default, lambda w: w.relevance) * relevance,
        "relevance_only": relevance,
        "bm25": F.col("bm25").cast("double"),
        "popularity": F.col("popularity").cast("double"),
        "random": F.lit(0.0),
    }


def logged_ranker() -> dict[str, Column]:
    """Rank by the order in which the page was shown; rows that were never shown have no score."""
    return {LOGGED: -F.col("position").cast("double")}


def sweep_name(weight: float) -> str:
    """Name of the ranker of one relevance weight."""
    return f"{weight:.12g}"


def sweep_rankers(
    weights: Mapping[str, Weights], default: Weights, sweep: Sequence[float]
) -> dict[str, Column]:
    """Return the value model under each relevance weight of a sweep, named by `sweep_name`."""
    engaged = predicted_engagement(weights, default)
    relevance = F.col("relevance").cast("double") / 2.0
    return {sweep_name(w): engaged + F.lit(float(w)) * relevance for w in sweep}
