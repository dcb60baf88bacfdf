"""What an item brings to the shelf besides its text: quality, price and popularity."""

from datetime import date, timedelta

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from jobs.sources.market.draws import Draws

LOG_PRICE_SD = 0.45
"""Spread of log prices within a type."""
_LISTED_FROM = date(2019, 1, 1)
_LISTED_OVER_DAYS = 1_800


def with_latents(items: DataFrame, draws: Draws) -> DataFrame:
    """Add quality, cheapness and popularity, each of mean 0 and spread 1 over items.

    cheapness is minus the z-score of the log price within the type: dear brands and good items
    cost more. popularity is what the logger knows: good and cheap items are more popular.

    Args:
        items: has item_id and brand (null allowed).
    """
    item, brand = F.col("item_id"), F.coalesce(F.col("brand"), F.lit(""))
    quality = draws.normal("quality", item)
    price_noise = (1 - 0.5**2 - 0.3**2) ** 0.5 * draws.normal("price", item)
    cheapness = -(0.5 * draws.normal("brand tier", brand) + 0.3 * quality + price_noise)
    # corr(quality, cheapness) = -0.3 leaves this much for noise in a popularity of spread 1
    own = (1 - 0.5**2 - 0.4**2 + 2 * 0.5 * 0.4 * 0.3) ** 0.5
    popularity = 0.5 * quality + 0.4 * cheapness + own * draws.normal("popularity", item)
    return items.withColumns({"quality": quality, "cheapness": cheapness, "popularity": popularity})


def price_of(middle: Column) -> Column:
    """Price from the type's middle price and the item's cheapness, in whole cents."""
    drawn = middle * F.exp(F.lit(-LOG_PRICE_SD) * F.col("cheapness"))
    return F.greatest(F.round(drawn, 2), F.lit(0.01))


def listed_on(draws: Draws, first: date) -> Column:
    """First day on sale: a day of five years, always before the log's first day."""
    days = draws.below(_LISTED_OVER_DAYS, "listed", F.col("item_id")).cast("int")
    drawn = F.date_add(F.lit(_LISTED_FROM), days)
    return F.least(drawn, F.lit(first - timedelta(days=1)))


def on_shelf(items: DataFrame) -> DataFrame:
    """What a shop knows of its items: no latents."""
    return items.select(
        "item_id",
        "title",
        "price",
        "brand",
        "item_type",
        "colour",
        "size",
        "material",
        "listed_on",
    )
