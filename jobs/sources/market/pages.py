"""Result pages by the logging policy, and what shoppers did on them."""

from datetime import UTC, date, datetime, time

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from conf.sections.market import MarketSource, PolicyConf
from jobs.sources.market.clicks import with_clicks
from jobs.sources.market.draws import Draws
from jobs.sources.market.logger import logger_score
from jobs.sources.market.shoppers import price_level

_CARRIED = ("item_id", "price", "p_click", "p_cart", "p_purchase")
_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400


def ranked_pages(
    searches: DataFrame, pairs: DataFrame, source: MarketSource, draws: Draws
) -> DataFrame:
    """One row per item shown: the search's columns, query_id, item fields, position, propensity.

    With probability `exploration` a page shows its pool in a uniformly random order, else in the
    order of the day's scores. So, given query, region and day, the propensity is exact:
    exploration / |pool| + (1 - exploration) * [the day's order puts the item at this position].

    Args:
        pairs: text_number, region, query_id, item_id, price, p_click, p_cart, p_purchase, and
            the terms of the logger's score (`logger_score`).
    """
    explore = draws.uniform("explore", F.col("search_id")) < source.policy.exploration
    by_score = F.array_sort(F.transform("pool", lambda x: _scored(x, source.policy, draws)))
    return (
        searches.join(_pools(pairs, source.policy), on=["text_number", "region"], how="inner")
        .withColumns({"explore": explore, "by_score": by_score, "pool_size": F.size("pool")})
        .withColumn("shown", F.slice(F.array_sort(_ordered(draws)), 1, source.page_size))
        .select("*", F.posexplode("shown").alias("place", "row"))
        .select(
            "search_id",
            "query_id",
            "region",
            "event_second",
            (F.col("place") + 1).alias("position"),
            _propensity(source.policy.exploration).alias("propensity"),
            "row.*",
        )
    )


def impressions(shown: DataFrame, source: MarketSource, run_date: date, draws: Draws) -> DataFrame:
    """What the log of the days before `run_date` knows on that day, one row per item shown.

    Clicks follow the click model (`clicks`); carts and purchases may come up to three days later,
    and are in the log only if they came before the run date. Rows that arrive later are not in it.
    """
    cutoff = int(datetime.combine(run_date, time(), UTC).timestamp())
    return (
        shown.transform(lambda df: _with_funnel(df, source, draws))
        .transform(lambda df: _with_delays(df, source, cutoff, draws))
        .where(F.col("known_second") < cutoff)
        .select(
            "search_id",
            "query_id",
            "item_id",
            "region",
            "position",
            F.timestamp_seconds("event_second").alias("event_time"),
            F.timestamp_seconds("known_second").alias("known_at"),
            F.round(F.col("price") * price_level(draws), 2).alias("price"),
            "clicked",
            "carted",
            "purchased",
            F.timestamp_seconds(F.when(F.col("carted"), F.col("cart_second"))).alias("carted_at"),
            F.timestamp_seconds(F.when(F.col("purchased"), F.col("purchase_second"))).alias(
                "purchased_at"
            ),
            "propensity",
        )
    )


def _pools(pairs: DataFrame, policy: PolicyConf) -> DataFrame:
    """One row per query with its pool as an array; a pool is bounded by conf, not by traffic."""
    entry = F.struct(logger_score(policy).alias("base"), *_CARRIED)
    return pairs.groupBy("text_number", "region", "query_id").agg(
        F.collect_list(entry).alias("pool")
    )


def _scored(entry: Column, policy: PolicyConf, draws: Draws) -> Column:
    """The entry with minus its score of the day in front, ties by item."""
    drift = policy.drift_sd * draws.normal("drift", entry["item_id"], F.col("day"))
    return F.struct(
        (-(entry["base"] + drift)).alias("minus_score"),
        *(entry[name].alias(name) for name in _CARRIED),
    )


def _ordered(draws: Draws) -> Column:
    """Entries with their key on this page in front: a draw where it explores, else the rank."""

    def keyed(entry: Column, index: Column) -> Column:
        chance = draws.uniform("order", F.col("search_id"), entry["item_id"])
        rank = index.cast("double")
        return F.struct(
            F.when(F.col("explore"), chance).otherwise(rank).alias("key"),
            (index + 1).alias("rank_by_score"),
            *(entry[name].alias(name) for name in _CARRIED),
        )

    return F.transform("by_score", keyed)


def _propensity(exploration: float) -> Column:
    greedy = F.when(F.col("row.rank_by_score") == F.col("place") + 1, 1.0 - exploration)
    return exploration / F.col("pool_size") + greedy.otherwise(0.0)


def _with_funnel(df: DataFrame, source: MarketSource, draws: Draws) -> DataFrame:
    """Add clicked, carted, purchased: what the shopper does in the end."""
    page = (F.col("search_id"), F.col("item_id"))
    carted = F.col("attracted") & (draws.uniform("cart", *page) < F.col("p_cart"))
    purchased = carted & (draws.uniform("purchase", *page) < F.col("p_purchase"))
    return (
        with_clicks(df, source.clicks, source.page_size, draws)
        .withColumns({"carted": carted, "purchased": purchased})
        .drop("attracted")
    )


def _with_delays(df: DataFrame, source: MarketSource, cutoff: int, draws: Draws) -> DataFrame:
    """Add known_second, cart_second, purchase_second; what comes after the cutoff is unknown."""
    page = (F.col("search_id"), F.col("item_id"))
    late = draws.uniform("late", *page) < source.late_share
    days_late = F.when(late, 1 + draws.below(2 * _DAY, "days late", *page) / _DAY).otherwise(0)
    minutes = _MINUTE + draws.below(14 * _MINUTE, "known", F.col("search_id"))
    cart = F.col("event_second") + _delay("cart", source, draws)
    purchase = cart + _delay("purchase", source, draws)
    return df.withColumns(
        {
            "known_second": F.col("event_second") + minutes + F.floor(days_late * _DAY),
            "cart_second": cart,
            "purchase_second": purchase,
            "carted": F.col("carted") & (cart < cutoff),
            "purchased": F.col("purchased") & (purchase < cutoff),
        }
    )


def _delay(step: str, source: MarketSource, draws: Draws) -> Column:
    """Seconds from the step before: within 30 minutes, or now and then up to a day and a half."""
    page = (F.col("search_id"), F.col("item_id"))
    delayed = draws.uniform(f"{step}/delayed", *page) < source.delayed_share
    longest = F.when(delayed, 36 * _HOUR).otherwise(30 * _MINUTE)
    return 10 + draws.below(longest, f"{step}/delay", *page)
