"""The days of impressions that a run reads and replaces."""

from collections.abc import Sequence
from datetime import date, timedelta
from functools import reduce
from operator import or_

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from conf.load import ResolvedConf
from features.log.first_known import EVENTS, KNOWN, times_of
from features.quality.typed import try_cast


def first_day(conf: ResolvedConf) -> date | None:
    """Return the first day of the window `ingest.history_days`; None: all that the source gives."""
    days = conf.tree.ingest.history_days
    return None if days is None else conf.run_date - timedelta(days=days)


def within_history(impressions: DataFrame, conf: ResolvedConf) -> DataFrame:
    """Keep the raw impressions from the first day on, and those whose time cannot be read."""
    start = first_day(conf)
    if start is None:
        return impressions
    early = _cast_moment(impressions, "event_time") < F.lit(start)
    return impressions.where(F.coalesce(~early, F.lit(True)))


def replaced_days(conf: ResolvedConf) -> str:
    """Write SQL over the table impressions for the days that a run replaces."""
    opening = first_day(conf)
    start = [] if opening is None else [f"event_date >= DATE'{opening}'"]
    return " AND ".join([*start, f"event_date < DATE'{conf.run_date}'"])


def as_of(impressions: DataFrame, run_date: date) -> DataFrame:
    """Return the raw impressions as the log stood when `run_date` began.

    Rows that happened or were known later are left out; clicks, carts and purchases that came or
    were known later are undone. Rows whose times cannot be read stay.
    """
    log = impressions.where(~_is_later(impressions, ["event_time"], run_date)).where(
        ~_is_later(impressions, ["known_at", *KNOWN.values()], run_date)
    )
    for event in EVENTS:
        times = [name for name in times_of(event) if name in log.columns]
        if times and event in log.columns:
            log = log.transform(_undo_event, event, times, run_date)
    return log


def _undo_event(impressions: DataFrame, event: str, times: list[str], run_date: date) -> DataFrame:
    later = reduce(or_, (_is_later(impressions, [name], run_date) for name in times))
    undone = {event: F.when(later, F.lit("false")).otherwise(F.col(event).cast("string"))}
    return impressions.withColumns(undone | {n: F.when(~later, F.col(n)) for n in times})


def _is_later(impressions: DataFrame, names: Sequence[str], run_date: date) -> Column:
    """Return whether the earliest of the times that the frame has is on or after the run date."""
    moments = [_cast_moment(impressions, name) for name in names if name in impressions.columns]
    earliest = F.array_min(F.array(*moments)) if moments else F.lit(None)
    return F.coalesce(earliest >= F.lit(run_date), F.lit(False))


def _cast_moment(impressions: DataFrame, name: str) -> Column:
    source = impressions.schema[name].dataType
    return try_cast(F.col(name), source, "timestamp")
