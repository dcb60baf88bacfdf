"""Features of an item in a region: what it is, what it costs there, and how it was received."""

from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from conf.schema import Conf
from conf.sections.features import LOOK_BACK_DAYS
from features.declarations import ITEM_LEVEL, WINDOWS
from features.frame import finish_features
from features.log.history import ENGAGEMENT, MICRO, RATES, smooth_rate, sum_windows
from features.regional import (
    mean_ratio,
    median_price,
    price_levels,
    regional_prices,
    type_prices,
)
from features.text.texts import hashed_category

WINDOW = LOOK_BACK_DAYS


def item_features(
    spine: DataFrame,
    items: DataFrame,
    daily: DataFrame,
    priors: DataFrame,
    run_date: date,
    conf: Conf,
) -> DataFrame:
    """Build the item_features table of one run.

    Rates are (events + n * m) / (trials + n): trials are impressions, or for the debiased rate the
    examinations expected at the positions where the item was shown; m is the rate of all items of
    the 28 days before (in the region, for the regional rate); n = features.prior_impressions.

    Args:
        spine: item_id, region, day.
        items: rows of the items table.
        daily: item_id, region, day, ENGAGEMENT, `examined` and `price_ratio` (micro).
        priors: of `prior_rates`.
    """
    everywhere = global_history(daily, spine)
    regional = regional_history(daily, spine)
    return (
        regional.join(everywhere, on=["item_id", "day"], how="inner")
        .join(select_attributes(items, conf), on="item_id", how="inner")
        .join(F.broadcast(type_prices(items)), on="type_name", how="left")
        .join(F.broadcast(median_price(items)), how="cross")
        .join(F.broadcast(price_levels(daily, spine)), on=["day", "region"], how="left")
        .join(F.broadcast(priors), on=["day", "region"], how="left")
        .withColumns(regional_prices())
        .withColumns(_derive_engagement(conf))
        .transform(finish_features, ["item_id", "region"], ITEM_LEVEL, run_date)
    )


def global_history(daily: DataFrame, spine: DataFrame) -> DataFrame:
    """Return item_id, day, and the counts of all regions over each window."""
    measures = [*ENGAGEMENT, "examined"]
    return sum_windows(
        daily,
        spine.select("item_id", "day").distinct(),
        ["item_id"],
        measures,
        WINDOWS,
    )


def regional_history(daily: DataFrame, spine: DataFrame) -> DataFrame:
    """Return item_id, region, day, and the region's 28-day counts, named region_*."""
    measures = [*ENGAGEMENT, "price_ratio"]
    keys = ["item_id", "region"]
    days = spine.select(*keys, "day").distinct()
    sums = sum_windows(daily, days, keys, measures, [WINDOW])
    events = F.col("clicks_28d") + F.col("carts_28d") + F.col("purchases_28d")
    return sums.select(
        *keys,
        "day",
        F.log1p(events).alias("item_region_popularity"),
        F.col("clicks_28d").alias("region_clicks"),
        F.col("impressions_28d").alias("region_impressions"),
        mean_ratio(F.col("impressions_28d")).alias("item_ratio"),
    )


def select_attributes(items: DataFrame, conf: Conf) -> DataFrame:
    """Select item_id and what the catalogue says of the item today: it keeps no history."""
    buckets = conf.features.hash_buckets
    return items.select(
        "item_id",
        "price",
        "listed_on",
        F.coalesce("item_type", F.lit("")).alias("type_name"),
        hashed_category(F.col("brand"), buckets).alias("item_brand"),
        hashed_category(F.col("item_type"), buckets).alias("item_type"),
        F.length("title").alias("item_title_chars"),
    )


def _derive_engagement(conf: Conf) -> dict[str, Column]:
    """Derive age, counts and rates from the columns of the joined histories."""
    age = F.greatest(F.datediff("day", "listed_on"), F.lit(0))
    clicks, examined = F.col("clicks_28d"), F.col("examined_28d") / MICRO
    counts = {
        f"item_{what}_{days}d": F.log1p(F.col(f"{what}_{days}d"))
        for what in ENGAGEMENT
        for days in WINDOWS
    }
    rates = {
        f"item_{rate}_{days}d": smooth_rate(
            F.col(f"{what}_{days}d"),
            F.col(f"impressions_{days}d"),
            F.col(f"all_{rate}"),
            conf,
        )
        for rate, what in RATES
        for days in WINDOWS
    }
    return {
        "item_age_days": F.log1p(age),
        **counts,
        **rates,
        "item_debiased_ctr_28d": smooth_rate(clicks, examined, F.col("all_debiased_ctr"), conf),
        "item_region_ctr_28d": smooth_rate(
            F.col("region_clicks"), F.col("region_impressions"), F.col("prior_ctr"), conf
        ),
    }
