"""The days of impressions that a run reads and replaces."""

from datetime import date, timedelta

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from conf.load import ResolvedConf
from features.quality.typed import try_cast


def first_day(conf: ResolvedConf) -> date | None:
    """First day of the window `ingest.history_days`; None: all that the source gives."""
    days = conf.tree.ingest.history_days
    return None if days is None else conf.run_date - timedelta(days=days)


def within_history(impressions: DataFrame, conf: ResolvedConf) -> DataFrame:
    """The raw impressions from the first day on, and those whose time cannot be read."""
    first = first_day(conf)
    if first is None:
        return impressions
    source = impressions.schema["event_time"].dataType
    early = try_cast(F.col("event_time"), source, "timestamp") < F.lit(first)
    return impressions.where(F.coalesce(~early, F.lit(True)))


def replaced_days(conf: ResolvedConf) -> str:
    """SQL over the table impressions for the days that a run replaces."""
    first = first_day(conf)
    start = [] if first is None else [f"event_date >= DATE'{first}'"]
    return " AND ".join([*start, f"event_date < DATE'{conf.run_date}'"])
