"""What is audited, and the engagement that speaks for or against it.

A grade says how well an item fits a text, in every region. So the engagement of all regions is
summed per unit, a (query text, item, grade), and what holds for a unit holds for all its pairs.
"""

from datetime import date, timedelta

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from conf.schema import Conf
from features.log.examination import examination_curve
from features.log.history import ENGAGEMENT, MICRO, visible_log
from features.text.texts import text_key

UNIT = ("text_key", "item_id", "grade")


def audited_pairs(labels: DataFrame, queries: DataFrame) -> DataFrame:
    """Return one row per pair: its ids, region, text_key, query_text, grade and labeler_version.

    Of several human labels of a pair the latest one is audited, the one that training would use.

    Args:
        labels: rows of relevance_labels; sources other than `human` are left out.
        queries: rows of the queries table; every label's query is among them.
    """
    texts = queries.select(
        "query_id", "region", "query_text", text_key(F.col("query_text")).alias("text_key")
    )
    latest = F.max_by(
        F.struct("grade", "labeler_version"), F.struct("labelled_at", "labeler_version")
    )
    return (
        labels.where("source = 'human'")
        .groupBy("query_id", "item_id")
        .agg(latest.alias("label"))
        .select("query_id", "item_id", "label.grade", "label.labeler_version")
        .join(texts, on="query_id", how="inner")
    )


def pair_engagement(impressions: DataFrame, conf: Conf, run_date: date) -> DataFrame:
    """Return one row per pair of the log: query_id, item_id, ENGAGEMENT (long), examined (long,
    micro) and simulated.

    `examined` is the sum of the examination probabilities of the positions where it was shown. The
    audit looks back, so one curve over the whole window holds for every day of it (see
    `features.log.examination`). Events that lie ahead of the run date do not count.
    """
    first_day = run_date - timedelta(days=conf.audit.contradiction.days)
    log = visible_log(impressions, run_date).where(F.col("event_date") >= F.lit(first_day))
    events = log.select(
        "query_id",
        "item_id",
        "simulated",
        "propensity",
        F.least("position", F.lit(conf.features.max_position)).alias("position"),
        F.lit(1).alias("impressions"),
        F.col("clicked").cast("int").alias("clicks"),
        F.col("carted").cast("int").alias("carts"),
        F.col("purchased").cast("int").alias("purchases"),
    )
    return (
        events.join(F.broadcast(window_curve(events, conf, run_date)), on="position", how="inner")
        .groupBy("query_id", "item_id")
        .agg(
            *(F.sum(name).cast("long").alias(name) for name in ENGAGEMENT),
            F.sum("examination").alias("examined"),
            F.max("simulated").alias("simulated"),
        )
    )


def window_curve(events: DataFrame, conf: Conf, run_date: date) -> DataFrame:
    """Return position and examination (long, micro): one curve from all events.

    The curve of a day rests on the days before it: all events are put on the eve of the run date.
    """
    columns = ("position", "impressions", "clicks", "propensity")
    eve = events.select(*columns, F.lit(run_date - timedelta(days=1)).alias("day"))
    asked = events.groupBy("position").agg(
        F.lit(0).alias("impressions"),
        F.lit(0).alias("clicks"),
        F.lit(None).cast("double").alias("propensity"),
        F.lit(run_date).alias("day"),
    )
    curve = examination_curve(eve.unionByName(asked), conf)
    return curve.where(F.col("day") == F.lit(run_date)).select("position", "examination")


def build_units(pairs: DataFrame, engagement: DataFrame) -> DataFrame:
    """Return one row per unit: UNIT, query_text, ENGAGEMENT, expected (long, micro clicks) and
    simulated.

    `expected` is what its impressions would bring at the click rate of its grade in each region:
    sum over the pairs of examined * clicks(grade, region) / examined(grade, region). A unit that
    was never shown has zeros.
    """
    nothing = {name: F.coalesce(name, F.lit(0)) for name in (*ENGAGEMENT, "examined")}
    shown = (
        pairs.join(engagement, on=["query_id", "item_id"], how="left")
        .withColumns(nothing)
        .withColumn("simulated", F.coalesce("simulated", F.lit(False)))
    )
    rates = shown.groupBy("grade", "region").agg(
        F.try_divide(F.sum("clicks"), F.sum("examined") / MICRO).alias("rate")
    )
    expected = F.round(F.col("examined") * F.coalesce("rate", F.lit(0.0))).cast("long")
    return (
        shown.join(F.broadcast(rates), on=["grade", "region"], how="left")
        .groupBy(*UNIT)
        .agg(
            F.min("query_text").alias("query_text"),
            *(F.sum(name).alias(name) for name in ENGAGEMENT),
            F.sum(expected).alias("expected"),
            F.max("simulated").alias("simulated"),
        )
    )


def with_attraction(units: DataFrame, prior_clicks: float) -> DataFrame:
    """Scale `expected` by how attractive the item, and how lively the searches of the text, are.

    A popular item is clicked more than another of its grade, and that is no error. The factor of
    an item is (C + n) / (E + n) over its units of other texts, C clicks, E expected ones and n the
    prior; that of a text likewise over its units of other items: a unit never speaks for itself.
    """
    prior = prior_clicks * MICRO
    for key in ("item_id", "text_key"):
        sums = units.groupBy(key).agg(
            F.sum("clicks").alias("all_clicks"), F.sum("expected").alias("all_expected")
        )
        clicks = (F.col("all_clicks") - F.col("clicks")) * MICRO + prior
        factor = clicks / (F.col("all_expected") - F.col("expected") + prior)
        units = (
            units.join(sums, on=key, how="inner")
            .withColumn("expected", F.round(F.col("expected") * factor).cast("long"))
            .drop("all_clicks", "all_expected")
        )
    return units
