"""Prices as a region sees them.

The items table has today's price of an item, or none; the log has the prices shown. The formulas
below let no feature of an old day use a price that was shown later, and make regions with different
currencies comparable; b_i is the catalogue price of item i (1 where it has none):
    ln price of i in r as of d = ln b_i + mean of ln(shown / b_i) over the item's impressions in r
        in the 28 days before d (the level of r where it was not shown)
    level of r as of d = mean of ln(shown / b_i) over all impressions of priced items in r
Both come from daily sums. Where the log shows the catalogue's prices, all levels are 0.
"""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from conf.sections.features import LOOK_BACK_DAYS
from features.log.history import MICRO, daily_counts, sum_windows

WINDOW = LOOK_BACK_DAYS
STEPS = 50
"""Quantiles of a type's prices are 2 % apart (count of steps)."""
_ACCURACY = 10_000
"""Of Spark's approximate quantiles, whose error in rank is 1 / accuracy: far below a step."""


def with_price_ratio(events: DataFrame, items: DataFrame) -> DataFrame:
    """Replace `price` by sums-to-be (long): price_ratio (micro log units), priced (0 or 1).

    price_ratio is ln(shown / b_i) of an impression; priced says that the item has a price of its
    own in the catalogue. Both are 0 for the events that are no impression.
    """
    catalogue = items.select("item_id", F.col("price").alias("catalogue_price"))
    base = F.coalesce("catalogue_price", F.lit(1.0))
    ratio = F.round(F.log(F.col("price") / base) * MICRO).cast("long")
    return (
        events.join(catalogue, on="item_id", how="inner")
        .withColumn("price_ratio", ratio * F.col("impressions"))
        .withColumn(
            "priced", F.col("impressions") * F.col("catalogue_price").isNotNull().cast("long")
        )
        .drop("catalogue_price", "price")
    )


def price_levels(daily: DataFrame, spine: DataFrame) -> DataFrame:
    """Return day, region and price_level (log units) for each (region, day) of the spine."""
    measures = ["price_ratio", "priced"]
    sums = sum_windows(
        daily_counts(daily.where("priced > 0"), ["region"], measures),
        spine.select("region", "day").distinct(),
        ["region"],
        measures,
        [WINDOW],
    )
    level = mean_ratio(F.col(f"priced_{WINDOW}d"))
    return sums.select("day", "region", F.coalesce(level, F.lit(0.0)).alias("price_level"))


def mean_ratio(shown: Column) -> Column:
    """Compute the mean log price ratio (log units) over `shown` impressions; null where none."""
    return F.when(shown > 0, F.col(f"price_ratio_{WINDOW}d") / shown / MICRO)


def regional_prices() -> dict[str, Column]:
    """Compute the price features from price, item_ratio, price_level, price_steps and median_price.

    item_price_percentile and item_price_vs_median compare the price, its region's level taken
    off, with the catalogue's prices of the item's type and with the catalogue's median.
    """
    base = F.coalesce("price", F.lit(1.0))
    ratio = F.coalesce("item_ratio", F.when(F.col("price").isNotNull(), F.col("price_level")))
    log_price = F.log(base) + ratio
    level_off = log_price - F.col("price_level")
    return {
        "item_log_price": log_price,
        "item_price_percentile": price_percentile(F.exp(level_off), F.col("price_steps")),
        "item_price_vs_median": level_off - F.log("median_price"),
    }


def type_prices(items: DataFrame) -> DataFrame:
    """Return type_name and price_steps, the catalogue's 0, 2, .. 100 % price quantiles of each
    type.
    """
    points = [step / STEPS for step in range(STEPS + 1)]
    return (
        items.where("price IS NOT NULL")
        .groupBy(F.coalesce("item_type", F.lit("")).alias("type_name"))
        .agg(F.percentile_approx("price", points, _ACCURACY).alias("price_steps"))
    )


def price_percentile(price: Column, steps: Column) -> Column:
    """Compute the share of the type's quantiles below the price, ties counted half (0 .. 1); null
    where the price is not known.

    Prices equal to one part in a million count as ties: they went through logarithms. Both bounds
    are sorted in among the steps, because Spark compiles that; it interprets a lambda over an
    array, and to compare step by step took half the time of all item features.
    """
    least, most = price * (1 - 1e-6), price * (1 + 1e-6)
    bounds = F.array(F.coalesce(least, F.lit(0.0)), F.coalesce(most, F.lit(0.0)))
    placed = F.sort_array(F.concat(steps, bounds))  # `least` stands before `most`, places from 1
    below, up_to = F.array_position(placed, least) - 1, F.array_position(placed, most) - 2
    return (below + up_to) / (2.0 * F.size(steps))


def median_price(items: DataFrame) -> DataFrame:
    """Return one row: median_price of the catalogue; null where no item has a price."""
    return items.agg(F.percentile_approx("price", 0.5, _ACCURACY).alias("median_price"))
