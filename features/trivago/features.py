"""Makes the declared features of impression rows of a session log."""

import math
from collections.abc import Sequence

from pyspark.sql import Column, DataFrame, Window, WindowSpec
from pyspark.sql import functions as F

from features.log.history import MICRO
from features.trivago.declarations import DEVICES

MEASURES = ("impressions", "clickouts", "engagements", "log_price_micro")
OTHER = "other"
_FULL_LIST = 25
"""Items of a full list: one of them is clicked, which is the prior of a click rate."""

_PRIOR_ENGAGED = 0.03
"""Prior of an engagement rate: about the share of impressions that are engaged with."""

_HISTORIES = (
    ("item", ("item_id",), MEASURES),
    ("item_site", ("item_id", "site"), ("impressions", "clickouts")),
    ("city", ("city",), ("clickouts",)),
    ("site", ("site",), ("clickouts",)),
)


def largest_sites(rows: DataFrame, count: int) -> DataFrame:
    """Return the sites with the most training sessions that have a list; ties by name."""
    sessions = rows.where("split = 'train'").select("site", "user_id", "session_id").distinct()
    return (
        sessions.groupBy("site")
        .count()
        .orderBy(F.desc("count"), "site")
        .limit(count)
        .select("site")
    )


def with_history(rows: DataFrame, engagements: DataFrame) -> DataFrame:
    """Add what was known of the row's item, item on the site, city and site at session start.

    `rows` is read several times: the caller keeps it.
    """
    events = events_of(rows, engagements)
    joined = rows
    for prefix, keys, measures in _HISTORIES:
        answers = known_before(events, rows, keys, measures, prefix)
        joined = joined.join(answers, on=[*keys, "session_start"], how="left")
    return joined


def with_features(rows: DataFrame, regions: Sequence[str], prior: float) -> DataFrame:
    """Add the declared features, and region, to rows that have their history.

    Args:
        regions: the largest sites in order, then OTHER.
        prior: strength of the prior of a rate (impressions).
    """
    return (
        rows.withColumns(_derive_context(regions))
        .withColumns(_derive_item(prior))
        .withColumns(_derive_list())
    )


def _derive_context(regions: Sequence[str]) -> dict[str, Column]:
    is_large_site = F.col("site").isin(*regions[:-1])
    hour = F.pmod("session_start", F.lit(86_400)) * (2 * math.pi / 86_400)
    region = F.when(is_large_site, F.col("site")).otherwise(OTHER)
    return {
        "region": region,
        "region_index": _find_place(regions, region),
        "device": _find_place(DEVICES, F.col("device")),
        "hour_sin": F.sin(hour),
        "hour_cos": F.cos(hour),
        "filters": F.log1p("filters"),
        **{f"{at}_clickouts": F.log1p(f"{at}_clickouts") for at in ("city", "site")},
    }


def _derive_item(prior: float) -> dict[str, Column]:
    log_price, seen = F.log("price"), F.col("item_impressions")
    usual = F.when(seen > 0, F.col("item_log_price_micro") / MICRO / seen)
    click = 1 / _FULL_LIST
    return {
        "logged_rank": F.log("position"),
        "item_log_price": log_price,
        "item_price_vs_usual": F.coalesce(log_price - usual, F.lit(0.0)),
        "item_ctr": _smooth_rate("item_clickouts", "item_impressions", click, prior),
        "item_engaged_rate": _smooth_rate(
            "item_engagements", "item_impressions", _PRIOR_ENGAGED, prior
        ),
        "item_site_ctr": _smooth_rate("item_site_clickouts", "item_site_impressions", click, prior),
        **{
            name: F.log1p(name)
            for name in (
                "item_impressions",
                "item_clickouts",
                "item_engagements",
                "item_site_impressions",
                "item_site_clickouts",
            )
        },
    }


def _derive_list() -> dict[str, Column]:
    page = Window.partitionBy("page_id")
    log_price = F.col("item_log_price")
    square = _average_over_list(log_price * log_price, page)
    variance = square - F.pow(_average_over_list(log_price, page), F.lit(2))
    return {
        "list_log_price": _average_over_list(log_price, page),
        "list_price_spread": F.sqrt(F.greatest(variance, F.lit(0.0))),
        "price_vs_list": log_price - _average_over_list(log_price, page),
        "price_rank": F.percent_rank().over(page.orderBy("price")),
        **{
            f"{what}_vs_list": F.col(f"item_{what}")
            - _average_over_list(F.col(f"item_{what}"), page)
            for what in ("clickouts", "engagements", "ctr")
        },
    }


def _average_over_list(value: Column, page: WindowSpec) -> Column:
    """Average over the list, in whole numbers: the same whatever the order of the rows."""
    return F.avg(F.round(value * MICRO).cast("long")).over(page) / MICRO


def _smooth_rate(happened: str, shown: str, prior_mean: float, prior: float) -> Column:
    return (F.col(happened) + prior * prior_mean) / (F.col(shown) + prior)


def _find_place(names: Sequence[str], value: Column) -> Column:
    """Find the place of a value among the names, from 1; 0 where it is none of them."""
    return F.coalesce(F.array_position(F.array(*map(F.lit, names)), value), F.lit(0))


def events_of(rows: DataFrame, engagements: DataFrame) -> DataFrame:
    """Return one row per event: item_id, site, city, second, and the MEASURES (long).

    An impression and its click are known when the click was logged, an engagement when it was the
    first of its session with the item.
    """
    zero = F.lit(0).cast("long")
    shown = rows.select(
        "item_id",
        "site",
        "city",
        F.col("clicked_at").alias("second"),
        F.lit(1).cast("long").alias("impressions"),
        F.col("label_clickout").cast("long").alias("clickouts"),
        zero.alias("engagements"),
        F.round(F.log("price") * MICRO).cast("long").alias("log_price_micro"),
    )
    engaged = engagements.select(
        "item_id",
        "site",
        F.lit(None).cast("string").alias("city"),
        F.col("engaged_from.timestamp").alias("second"),
        zero.alias("impressions"),
        zero.alias("clickouts"),
        F.lit(1).cast("long").alias("engagements"),
        zero.alias("log_price_micro"),
    )
    return shown.unionByName(engaged)


def known_before(
    events: DataFrame, rows: DataFrame, keys: Sequence[str], measures: Sequence[str], prefix: str
) -> DataFrame:
    """Sum the events of each key that were known before each session start of the rows.

    Events and what is asked for are summed by one window over the seconds: no range join. Events of
    one key and second are added up first, so that a head key has no more rows than seconds.

    Args:
        events: keys, second, measures (long).
        rows: keys, session_start; any other columns.
        prefix: of the sums, `<prefix>_<measure>` (long, 0 where nothing was known).

    Returns:
        keys, session_start and the sums, one row each.
    """
    summed = events.groupBy(*keys, "second").agg(*(F.sum(m).alias(m) for m in measures))
    asked = rows.select(*keys, F.col("session_start").alias("second")).distinct()
    nothing = [F.lit(0).cast("long").alias(m) for m in measures]
    both = summed.withColumn("asked", F.lit(False)).unionByName(
        asked.select(*keys, "second", *nothing, F.lit(True).alias("asked"))
    )
    before = Window.partitionBy(*keys).orderBy("second").rangeBetween(Window.unboundedPreceding, -1)
    sums = {f"{prefix}_{m}": F.coalesce(F.sum(m).over(before), F.lit(0)) for m in measures}
    return (
        both.withColumns(sums)
        .where("asked")
        .select(*keys, F.col("second").alias("session_start"), *sums)
    )
