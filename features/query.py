"""Features of a query: its text, its traffic and what became of its pages."""

from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from conf.schema import Conf
from conf.sections.features import LOOK_BACK_DAYS
from features.declarations import QUERY_LEVEL
from features.frame import finish_features, to_flag
from features.log.history import ENGAGEMENT, RATES, smooth_rate, sum_windows
from features.text.texts import query_hash

WINDOW = LOOK_BACK_DAYS


def query_features(
    spine: DataFrame,
    queries: DataFrame,
    readings: DataFrame,
    daily: DataFrame,
    pages: DataFrame,
    items: DataFrame,
    priors: DataFrame,
    run_date: date,
    conf: Conf,
) -> DataFrame:
    """Build the query_features table of one run.

    Rates are (events + n * m) / (impressions + n) over 28 days, m the region's rate of the same
    days and n = features.prior_impressions.

    Args:
        spine: query_id, day.
        queries: rows of the queries table.
        readings: text_hash and the columns of a reading; of all query texts.
        daily: query_id, item_id, day and the ENGAGEMENT counts.
        pages: query_id, day, pages (long): result pages by effective day.
        items: item_id, item_type.
        priors: of `prior_rates`.
    """
    described = text_features(queries, readings, conf)
    return query_engagement(spine, described, daily, pages, items, priors, conf).transform(
        finish_features, ["query_id", "region"], QUERY_LEVEL, run_date
    )


def query_engagement(
    spine: DataFrame,
    queries: DataFrame,
    daily: DataFrame,
    pages: DataFrame,
    items: DataFrame,
    priors: DataFrame,
    conf: Conf,
) -> DataFrame:
    """Add what the log says of the queries to their rows: one row per query and day of the spine.

    Args:
        queries: query_id, region; other columns are kept.

    Returns:
        The columns of `queries`, day, and the features that QUERY_LEVEL has beside QUERY_TEXT_LEVEL
        (entropy: null without a click).
    """
    days = spine.select("query_id", "day").distinct()  # of the many rows per query, before shuffles
    zero = F.lit(0).cast("long")
    counts = daily.select("query_id", "day", *ENGAGEMENT, zero.alias("pages"))
    traffic = counts.unionByName(pages.withColumns(dict.fromkeys(ENGAGEMENT, zero)))
    measured = sum_windows(traffic, days, ["query_id"], [*ENGAGEMENT, "pages"], [WINDOW])
    return (
        measured.join(queries, on="query_id", how="inner")
        .join(click_entropy(daily, items, days), on=["query_id", "day"], how="left")
        .join(F.broadcast(priors), on=["day", "region"], how="left")
        .withColumns(_derive_engagement(conf))
    )


def text_features(queries: DataFrame, readings: DataFrame, conf: Conf) -> DataFrame:
    """Return query_id, region and the features of the text alone.

    Args:
        readings: text_hash and the columns of a reading.
    """
    hashed = queries.withColumn("text_hash", query_hash(F.col("query_text")))
    return hashed.join(readings, on="text_hash", how="inner").select(
        "query_id",
        "region",
        _region_index(conf).alias("region_index"),
        F.length("query_text").alias("query_chars"),
        F.size("tokens").alias("query_tokens"),
        to_flag(F.concat_ws(" ", "tokens").rlike(r"\d")).alias("query_has_number"),
        to_flag((F.size("sizes") > 0) | (F.size("numbers") > 1)).alias("query_has_size"),
    )


def click_entropy(daily: DataFrame, items: DataFrame, spine: DataFrame) -> DataFrame:
    """Compute the entropy of clicks over item types, -sum_t p_t ln p_t (nats): query_id, day,
    query_type_entropy.

    With c_t clicks on type t and C in all, that is ln C - sum_t c_t ln c_t / C. No click: no row.
    Clicks are few: each is joined with the days that see it. Days fall into blocks of the window's
    length, and a click is seen by days of its own block and of the next one alone, so that what is
    joined grows with the clicks, not with their number times the length of the log.

    Args:
        spine: query_id, day; one row each.
    """
    number = F.unix_date("day")
    block = F.floor(number / WINDOW)
    clicked = (
        daily.where("clicks > 0")
        .join(items.select("item_id", "item_type"), on="item_id", how="inner")
        .select(
            "query_id",
            F.explode(F.array(block, block + 1)).alias("block"),
            number.alias("clicked_on"),
            F.coalesce("item_type", F.lit("")).alias("item_type"),
            "clicks",
        )
    )
    asked = spine.select("query_id", "day", block.alias("block"))
    clicks = F.col("clicks")
    total, weighted = F.sum(clicks), F.sum(clicks * F.log(clicks))
    return (
        asked.join(clicked, on=["query_id", "block"], how="inner")
        .where(F.col("clicked_on").between(number - WINDOW, number - 1))
        .groupBy("query_id", "block", "day", "item_type")
        .agg(F.sum("clicks").alias("clicks"))
        .groupBy("query_id", "block", "day")
        .agg(F.greatest(F.log(total) - weighted / total, F.lit(0.0)).alias("query_type_entropy"))
        .drop("block")
    )


def daily_pages(log: DataFrame) -> DataFrame:
    """Count result pages by query and day: each once, on the day its first row is known (pages,
    long).
    """
    row_day = F.greatest(F.to_date("event_time"), F.to_date("known_at"))
    return (
        log.groupBy("query_id", "search_id")
        .agg(F.min(row_day).alias("day"))
        .groupBy("query_id", "day")
        .agg(F.count("*").alias("pages"))
    )


def _derive_engagement(conf: Conf) -> dict[str, Column]:
    """Derive traffic and rates from the columns of the joined history and priors."""
    shown = F.col("impressions_28d")
    rates = {
        f"query_{rate}_28d": smooth_rate(F.col(f"{what}_28d"), shown, F.col(f"prior_{rate}"), conf)
        for rate, what in RATES
    }
    return {"query_traffic_28d": F.log1p("pages_28d"), **rates}


def _region_index(conf: Conf) -> Column:
    return F.array_position(F.array(*map(F.lit, conf.regions)), F.col("region"))
