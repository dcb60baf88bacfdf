"""The days of impressions that a run reads and replaces."""

from datetime import date, timedelta

from pyspark.sql import Column, DataFrame
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
    early = _moment(impressions, "event_time") < F.lit(first)
    return impressions.where(F.coalesce(~early, F.lit(True)))


def replaced_days(conf: ResolvedConf) -> str:
    """SQL over the table impressions for the days that a run replaces."""
    first = first_day(conf)
    start = [] if first is None else [f"event_date >= DATE'{first}'"]
    return " AND ".join([*start, f"event_date < DATE'{conf.run_date}'"])


def as_of(impressions: DataFrame, run_date: date) -> DataFrame:
    """The raw impressions as the log stood when `run_date` began.

    Rows that happened or were known later are left out; carts and purchases that came later are
    undone. Rows whose times cannot be read stay.
    """
    kept = impressions
    for name in ("event_time", "known_at"):
        if name in kept.columns:
            kept = kept.where(~_later(kept, name, run_date))
    for name in ("carted", "purchased"):
        if {name, f"{name}_at"} <= set(kept.columns):
            kept = kept.transform(_undo, name, _later(kept, f"{name}_at", run_date))
    return kept


def _undo(impressions: DataFrame, step: str, later: Column) -> DataFrame:
    undone = {
        step: F.when(later, F.lit("false")).otherwise(F.col(step).cast("string")),
        f"{step}_at": F.when(~later, F.col(f"{step}_at")),
    }
    return impressions.withColumns(undone)


def _later(impressions: DataFrame, name: str, run_date: date) -> Column:
    return F.coalesce(_moment(impressions, name) >= F.lit(run_date), F.lit(False))


def _moment(impressions: DataFrame, name: str) -> Column:
    source = impressions.schema[name].dataType
    return try_cast(F.col(name), source, "timestamp")
