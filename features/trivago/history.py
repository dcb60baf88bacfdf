"""What was known when a session started: counts of all events strictly before it.

Counts are sums of whole numbers, so that the order in which Spark adds never matters.
"""

from collections.abc import Sequence

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

MICRO = 1_000_000
MEASURES = ("impressions", "clickouts", "engagements", "log_price_micro")


def events_of(rows: DataFrame, engagements: DataFrame) -> DataFrame:
    """item_id, site, city, second, and the MEASURES of one event (long).

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
    """The sums over the events of each key before each session start of the rows.

    Events and what is asked for are summed by one window over the seconds: no range join. Events of
    one key and second are added up first, so that a head key has no more rows than seconds.

    Args:
        events: keys, second, measures (long).
        rows: keys, session_start; any other columns.
        prefix: of the sums, `<prefix>_<measure>` (long, 0 where nothing was known).

    Returns:
        keys, session_start and the sums, one row each.
    """
    known = events.groupBy(*keys, "second").agg(*(F.sum(m).alias(m) for m in measures))
    asked = rows.select(*keys, F.col("session_start").alias("second")).distinct()
    nothing = [F.lit(0).cast("long").alias(m) for m in measures]
    both = known.withColumn("asked", F.lit(False)).unionByName(
        asked.select(*keys, "second", *nothing, F.lit(True).alias("asked"))
    )
    before = Window.partitionBy(*keys).orderBy("second").rangeBetween(Window.unboundedPreceding, -1)
    sums = {f"{prefix}_{m}": F.coalesce(F.sum(m).over(before), F.lit(0)) for m in measures}
    return (
        both.withColumns(sums)
        .where("asked")
        .select(*keys, F.col("second").alias("session_start"), *sums)
    )
