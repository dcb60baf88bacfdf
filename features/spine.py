"""Which keys get features as of which days."""

from datetime import date, timedelta

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from conf.schema import Conf

QUERY_KEYS = ("query_id", "day")
ITEM_KEYS = ("item_id", "region", "day")
PAIR_KEYS = ("query_id", "item_id", "day")


def feature_spine(log: DataFrame, candidates: DataFrame, run_date: date, conf: Conf) -> DataFrame:
    """Return what is scored on the run date, and what was shown on the training days before.

    Args:
        log: of `visible_log`.
        candidates: rows of the candidates table of the run date.

    Returns:
        query_id, item_id, region, day; one row each.
    """
    since = F.lit(run_date - timedelta(days=conf.features.training_days))
    shown = log.withColumn("day", F.to_date("event_time")).where(F.col("day") >= since)
    scored = candidates.withColumn("day", F.lit(run_date))
    columns = ["query_id", "item_id", "region", "day"]
    return shown.select(*columns).distinct().unionByName(scored.select(*columns))
