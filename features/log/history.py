"""What was known before a day: daily counts summed over look-back windows.

An event counts on its effective day, the day it happened or the day the log first knew it,
whichever is later; features of later days see it. Every measure is a whole number, so that a sum
never depends on the order in which Spark adds.
"""

from collections.abc import Sequence
from datetime import date

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from conf.schema import Conf
from features.log.first_known import EVENTS, times_of

ENGAGEMENT = ("impressions", "clicks", "carts", "purchases")
RATES = (("ctr", "clicks"), ("cart_rate", "carts"), ("purchase_rate", "purchases"))
MICRO = 1_000_000
"""Fractions are stored as whole millionths, whose sums are exact in any order."""


def visible_log(impressions: DataFrame, run_date: date) -> DataFrame:
    """Return the log as it stood before the run date: what had happened and was known by then.

    Clicks, carts and purchases that happened or were known only later are undone.
    """
    before = F.lit(run_date)
    seen = {event: F.col(event) & (_known_day(event) < before) for event in EVENTS}
    return impressions.where(
        (F.to_date("event_time") < before) & (F.to_date("known_at") < before)
    ).withColumns(seen)


def effective_events(log: DataFrame) -> DataFrame:
    """Turn each impression into up to four events, each on the day from which it is known.

    A page counts on the later of event_time and known_at; a click, a cart and a purchase on the
    latest of that, their own time and the time that they were first known. The log may hold events
    whose time is still to come: they count for no day before it.

    Args:
        log: rows of the impressions table.

    Returns:
        day (date), query_id, item_id, region, position, price, propensity, and the ENGAGEMENT
        counts (long, 0 or 1).
    """
    shown = F.greatest(F.to_date("event_time"), F.to_date("known_at"))
    clicked = _known_day("clicked")
    at_once = F.col("clicked") & (clicked == shown)
    events = F.array(
        _make_event(F.lit(True), shown, impressions=F.lit(1), clicks=at_once.cast("int")),
        _make_event(F.col("clicked") & (clicked > shown), clicked, clicks=F.lit(1)),
        _make_event(F.col("carted"), _known_day("carted"), carts=F.lit(1)),
        _make_event(F.col("purchased"), _known_day("purchased"), purchases=F.lit(1)),
    )
    keep = ("query_id", "item_id", "region", "position", "price", "propensity")
    # Rows are filtered, not the array: Spark interprets a lambda, and with it all that stands
    # beside it in the stage.
    return log.select(*keep, F.inline(events)).where("happened").drop("happened")


def daily_counts(events: DataFrame, keys: Sequence[str], measures: Sequence[str]) -> DataFrame:
    """Sum the measures (long) into one row per key and day."""
    return events.groupBy(*keys, "day").agg(*(F.sum(m).cast("long").alias(m) for m in measures))


def sum_windows(
    daily: DataFrame,
    spine: DataFrame | None,
    keys: Sequence[str],
    measures: Sequence[str],
    windows: Sequence[int],
) -> DataFrame:
    """Sum the measures over the days before each (key, day) of the spine.

    Daily rows and spine rows are put into one frame and summed by a window over the day number:
    no range join, and one shuffle by key.

    Args:
        daily: keys, day, measures (long); rows of the same key and day are added.
        spine: keys, day; repeated rows count once, other columns are not kept. None: the days of
            `daily`, whose rows must then be one per key and day.
        windows: look-backs (days); w covers day - w .. day - 1.

    Returns:
        keys, day, and `<measure>_<w>d` (long) for every measure and window; 0 where nothing was.
    """
    counted = daily.select(*keys, "day", *measures, F.lit(1).alias("asked"))
    if spine is not None:
        nothing = [F.lit(0).cast("long").alias(m) for m in measures]
        asked = spine.select(*keys, "day", *nothing, F.lit(1).alias("asked"))
        counted = (
            asked.unionByName(counted.withColumn("asked", F.lit(0)))
            .repartition(*keys)
            .groupBy(*keys, "day")
            .agg(*(F.sum(m).alias(m) for m in measures), F.max("asked").alias("asked"))
        )
    days = counted.withColumn("day_number", F.unix_date("day"))
    # A window is the difference of two sums from the first day on: those grow by one per row, and a
    # sliding frame would add each of its days again.
    by_key = Window.partitionBy(*keys).orderBy("day_number")
    bounds = (1, *(w + 1 for w in windows))
    running = [
        F.coalesce(
            F.sum(m).over(by_key.rangeBetween(Window.unboundedPreceding, -b)), F.lit(0)
        ).alias(f"{m}_till_{b}")
        for b in bounds
        for m in measures
    ]
    sums = [
        (F.col(f"{m}_till_1") - F.col(f"{m}_till_{w + 1}")).alias(f"{m}_{w}d")
        for w in windows
        for m in measures
    ]
    summed = days.select(*keys, "day", "asked", *running).where("asked = 1")
    return summed.select(*keys, "day", *sums)


def prior_rates(daily: DataFrame, days: DataFrame, window: int, conf: Conf) -> DataFrame:
    """Return the rates that smoothing pulls towards, by day and region and over all regions.

    Args:
        daily: region, day, and the measures ENGAGEMENT and `examined` (long, micro).
        days: day; the days of the spine.
        window: look-back (days).

    Returns:
        day, region (conf.regions), prior_<rate> of the region, all_<rate> over all regions for
        each of RATES, and all_debiased_ctr; 0 where nothing was logged in the window.
    """
    measures = (*ENGAGEMENT, "examined")
    regions = F.explode(F.array(*map(F.lit, conf.regions))).alias("region")
    spine = days.select("day", regions)
    by_region = daily_counts(daily, ["region"], measures)
    sums = sum_windows(by_region, spine, ["region"], measures, [window])
    everywhere = Window.partitionBy("day")
    totals = {m: F.sum(f"{m}_{window}d").over(everywhere) for m in measures}
    regional = [
        _compute_rate(F.col(f"{what}_{window}d"), F.col(f"impressions_{window}d")).alias(
            f"prior_{rate}"
        )
        for rate, what in RATES
    ]
    overall = [
        _compute_rate(totals[w], totals["impressions"]).alias(f"all_{rate}") for rate, w in RATES
    ]
    debiased = _compute_rate(totals["clicks"], totals["examined"] / MICRO).alias("all_debiased_ctr")
    return sums.select("day", "region", *regional, *overall, debiased)


def smooth_rate(events: Column, trials: Column, prior_rate: Column, conf: Conf) -> Column:
    """Smooth a rate: (events + n * m) / (trials + n), m the prior rate, n =
    features.prior_impressions.
    """
    strength = conf.features.prior_impressions
    return (events + strength * prior_rate) / (trials + strength)


def _known_day(event: str) -> Column:
    """Return the day from which a click, cart or purchase that happened is known (date)."""
    return F.to_date(F.greatest("event_time", "known_at", *times_of(event)))


def _compute_rate(events: Column, trials: Column) -> Column:
    return F.when(trials > 0, events / trials).otherwise(F.lit(0.0))


def _make_event(happened: Column, day: Column, **counts: Column) -> Column:
    values = [counts.get(m, F.lit(0)).cast("long").alias(m) for m in ENGAGEMENT]
    return F.struct(happened.alias("happened"), day.alias("day"), *values)
