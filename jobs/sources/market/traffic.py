"""Who searches for what, where and when."""

from datetime import date, timedelta
from math import ceil

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from conf.sections.market import MarketSource
from jobs.sources.market.draws import Draws, choose, lookup, zipf_rank

WEEKDAY_TRAFFIC = (0.95, 0.9, 0.9, 0.95, 1.0, 1.15, 1.15)
"""Pages of a day over the mean day, Monday first; they add up to 7."""
_SESSION_BLOCK = 4
_SPLITS = ("0000", "0111", "0001", "0011", "0122", "0123", "0123", "0012")
"""How a block of four pages falls into sessions: the session of each page within the block."""


def searches(
    spark: SparkSession,
    source: MarketSource,
    regions: tuple[str, ...],
    texts: int,
    run_date: date,
    draws: Draws,
) -> DataFrame:
    """One row per result page: search_id, text_number, region, day, event_second.

    Pages of a session share the region, follow each other by a minute or so, and half of them
    repeat the query. Pages of a day depend on the day only: tomorrow's run sees the same ones.

    Args:
        texts: number of query texts; text_number is drawn below it by Zipf's law.
    """
    pages = source.impressions / source.page_size / source.days
    most = ceil(max(WEEKDAY_TRAFFIC) * pages)
    slot = F.col("slot")
    return (
        spark.range(source.days * most)
        .select(
            _day(F.col("id"), most, source.days, run_date).alias("day"),
            (F.col("id") % most).alias("slot"),
        )
        .where(slot + draws.uniform("traffic", F.col("day")) < pages * _weekday_traffic())
        .transform(lambda df: _with_sessions(df, source, regions, draws))
        .select(
            _search_id().alias("search_id"),
            zipf_rank(_intent(draws), texts, source.zipf_exponent).alias("text_number"),
            "region",
            "day",
            _event_second(draws).alias("event_second"),
        )
    )


def region_shares(source: MarketSource, regions: tuple[str, ...]) -> dict[str, float]:
    """Share of the traffic by region (fractions that add up to 1)."""
    weights = [(i + 1) ** -source.region_skew for i in range(len(regions))]
    return {r: w / sum(weights) for r, w in zip(regions, weights, strict=True)}


def _day(number: Column, most: int, days: int, run_date: date) -> Column:
    first = F.lit(run_date - timedelta(days=days))
    return F.date_add(first, F.floor(number / most).cast("int"))


def _weekday_traffic() -> Column:
    return lookup(WEEKDAY_TRAFFIC, F.weekday("day"))


def _with_sessions(
    df: DataFrame, source: MarketSource, regions: tuple[str, ...], draws: Draws
) -> DataFrame:
    """Add session (an id), page (from 0 within the session) and the session's region."""
    block, place = F.floor(F.col("slot") / _SESSION_BLOCK), F.col("slot") % _SESSION_BLOCK
    split = lookup(_SPLITS, draws.below(len(_SPLITS), "split", F.col("day"), block))
    own = F.substring(split, (place + 1).cast("int"), F.lit(1))
    session = F.concat_ws("-", F.col("day"), block, own)
    region = choose(
        regions,
        list(region_shares(source, regions).values()),
        draws.uniform("region", session),
    )
    return df.withColumns(
        {"session": session, "page": place - F.instr(split, own) + 1, "region": region}
    )


def _intent(draws: Draws) -> Column:
    """The draw behind the query: the session's, or the page's own where the shopper moves on."""
    session, page = F.col("session"), F.col("page")
    moves_on = (page > 0) & (draws.uniform("moves on", session, page) < 0.5)
    own = draws.uniform("intent", session, page)
    return F.when(moves_on, own).otherwise(draws.uniform("intent", session, F.lit(0)))


def _event_second(draws: Draws) -> Column:
    """Seconds since 1970 (UTC): sessions start around noon, pages follow by 30 to 150 s."""
    session = F.col("session")
    noon = (draws.uniform("start/a", session) + draws.uniform("start/b", session)) / 2
    pause = 30 + draws.below(120, "pause", session)
    midnight = F.unix_seconds(F.col("day").cast("timestamp"))
    return midnight + F.floor(noon * 85_000) + F.col("page") * pause


def _search_id() -> Column:
    number = F.lpad((F.col("slot") + 1).cast("string"), 9, "0")
    return F.concat(F.date_format("day", "yyyyMMdd"), F.lit("-"), number)
