"""Which keys get features as of which days."""

from datetime import date, timedelta

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from conf.schema import Conf
from features.draws import draw_hash

QUERY_KEYS = ("query_id", "day")
ITEM_KEYS = ("item_id", "region", "day")
PAIR_KEYS = ("query_id", "item_id", "day")


def feature_spine(
    log: DataFrame,
    candidates: DataFrame,
    run_date: date,
    conf: Conf,
    drawn: DataFrame | None = None,
) -> DataFrame:
    """Return what is scored on the run date, and what was shown on the training days before.

    Args:
        log: of `visible_log`.
        candidates: rows of the candidates table of the run date.
        drawn: of `draw_random_pairs`, which get features as of the run date, too; None: no pairs.

    Returns:
        query_id, item_id, region, day; one row each.
    """
    since = F.lit(run_date - timedelta(days=conf.features.training_days))
    shown = log.withColumn("day", F.to_date("event_time")).where(F.col("day") >= since)
    pairs = candidates.select("query_id", "item_id", "region")
    if drawn is not None:
        pairs = pairs.unionByName(drawn).distinct()
    columns = ["query_id", "item_id", "region", "day"]
    scored = pairs.withColumn("day", F.lit(run_date))
    return shown.select(*columns).distinct().unionByName(scored.select(*columns))


def draw_random_pairs(
    queries: DataFrame, items: DataFrame, candidates: DataFrame, conf: Conf
) -> DataFrame | None:
    """Draw about `features.random_pairs` items of the catalogue for each training query that has
    candidates; None where conf asks for none.

    Each item falls into one of S slots, S the power of two from the number of items on, and a query
    draws slots, more of them the fewer are full: no task has to hold or sort the catalogue, and a
    catalogue that grows keeps its pairs, which were compared before, until S doubles.

    Returns:
        query_id, item_id, region; one row each.
    """
    if not conf.features.random_pairs:
        return None
    slots = F.pow(F.lit(2), F.ceil(F.log2("items"))).cast("long")
    counted = items.agg(F.count(F.lit(1)).alias("items")).withColumn("slots", slots)
    size = F.broadcast(counted.where("items > 0"))
    turns = F.ceil(F.lit(conf.features.random_pairs) * F.col("slots") / F.col("items"))
    asked = (
        queries.where(F.col("bucket").isin(*conf.split.train))
        .join(candidates.select("query_id").distinct(), on="query_id", how="left_semi")
        .crossJoin(size)
    )
    drawn = asked.select(
        "query_id", "region", "slots", F.explode(F.sequence(F.lit(1), turns)).alias("turn")
    ).select(
        "query_id",
        "region",
        _choose_slot(draw_hash(conf.seed, "random_pairs", "query_id", "turn")).alias("slot"),
    )
    offered = items.crossJoin(size).select(
        "item_id", _choose_slot(draw_hash(conf.seed, "random_items", "item_id")).alias("slot")
    )
    pairs = drawn.join(offered, on="slot", how="inner")
    return pairs.select("query_id", "item_id", "region").distinct()


def _choose_slot(hashed: Column) -> Column:
    return F.pmod(hashed, "slots")
