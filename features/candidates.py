"""Which items are scored for which queries."""

from datetime import date, timedelta

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from conf.schema import Conf
from features.text.texts import query_hash, text_key

ORIGINS = ("from_log", "from_judgment", "from_retrieval")


def candidate_origins(
    seen: DataFrame, judged: DataFrame, active: DataFrame, retrieved: DataFrame
) -> DataFrame:
    """Return every reason to score an item for a query, one row each.

    A query (text and region) without a page in `candidates.seen_days` and without a judgment has
    none: nobody would see its scores.

    Args:
        seen: of `seen_pairs`.
        judged: of `known_judgments`.
        active: of `active_queries`.
        retrieved: text, item_id; of `retrieve_items` for the texts of `active`.

    Returns:
        query_id, item_id and the ORIGINS (boolean, one of them true).
    """
    return (
        _with_origin(seen, "from_log")
        .unionByName(_with_origin(judged, "from_judgment"))
        .unionByName(_with_origin(_by_query(retrieved, active), "from_retrieval"))
    )


def merged_origins(origins: DataFrame, queries: DataFrame, run_date: date) -> DataFrame:
    """Return the candidates of one run: one row per query and item, its origins put together."""
    return (
        origins.groupBy("query_id", "item_id")
        .agg(*(F.bool_or(origin).alias(origin) for origin in ORIGINS))
        .join(queries.select("query_id", "region"), on="query_id", how="inner")
        .withColumn("run_date", F.lit(run_date))
    )


def recent_log(log: DataFrame, run_date: date, conf: Conf) -> DataFrame:
    """Select the rows of `visible_log` of the last `candidates.seen_days` days."""
    since = F.lit(run_date - timedelta(days=conf.candidates.seen_days))
    return log.where(F.to_date("event_time") >= since)


def seen_pairs(recent: DataFrame, conf: Conf) -> DataFrame:
    """Return query_id and item_id of the `candidates.seen` items shown most often; ties by a hash
    of both.
    """
    most_shown = Window.partitionBy("query_id").orderBy(
        F.desc("shown"), F.xxhash64("query_id", "item_id"), "item_id"
    )
    return (
        recent.groupBy("query_id", "item_id")
        .agg(F.count("*").alias("shown"))
        .withColumn("place", F.row_number().over(most_shown))
        .where(F.col("place") <= conf.candidates.seen)
        .select("query_id", "item_id")
    )


def known_judgments(judgments: DataFrame, run_date: date) -> DataFrame:
    """Return query_id and item_id of the pairs judged before the run date, or at
    an unknown time.
    """
    is_past = F.col("judged_at").isNull() | (F.to_date("judged_at") < F.lit(run_date))
    return judgments.where(is_past).select("query_id", "item_id").distinct()


def active_queries(recent: DataFrame, judged: DataFrame, queries: DataFrame) -> DataFrame:
    """Return query_id, query_text and text of the queries with a recent page or a judgment."""
    ids = recent.select("query_id").union(judged.select("query_id")).distinct()
    return queries.join(ids, on="query_id", how="left_semi").select(
        "query_id", "query_text", text_key(F.col("query_text")).alias("text")
    )


def distinct_terms(active: DataFrame, readings: DataFrame) -> DataFrame:
    """Return text and terms (array<string>, distinct): one row per text of the active queries.

    Args:
        readings: text_hash, tokens; of all query texts.
    """
    texts = active.select("text", query_hash(F.col("text")).alias("text_hash")).distinct()
    return texts.join(readings, on="text_hash", how="inner").select(
        "text", F.array_distinct("tokens").alias("terms")
    )


def _by_query(retrieved: DataFrame, active: DataFrame) -> DataFrame:
    return retrieved.join(active.select("query_id", "text"), on="text", how="inner").select(
        "query_id", "item_id"
    )


def _with_origin(pairs: DataFrame, origin: str) -> DataFrame:
    flags = [F.lit(name == origin).alias(name) for name in ORIGINS]
    return pairs.select("query_id", "item_id", *flags)
