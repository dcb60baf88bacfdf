"""Features of a query and an item: how well the texts fit, and what became of the pair."""

from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from conf.schema import Conf
from conf.sections.features import LOOK_BACK_DAYS
from features.declarations import PAIR_LEVEL
from features.frame import finish_features
from features.log.history import ENGAGEMENT, RATES, smooth_rate, sum_windows
from features.text.texts import item_hash, query_hash

WINDOW = LOOK_BACK_DAYS
KEYS = ("query_id", "item_id")


def pair_features(
    spine: DataFrame,
    queries: DataFrame,
    items: DataFrame,
    compared: DataFrame,
    daily: DataFrame,
    priors: DataFrame,
    run_date: date,
    conf: Conf,
) -> DataFrame:
    """Build the query_item_features table of one run.

    Rates are (events + n * m) / (impressions + n) over the pair's 28 days, m the region's rate of
    the same days and n = features.prior_impressions.

    Args:
        spine: query_id, item_id, day.
        queries: rows of the queries table.
        items: rows of the items table.
        compared: query_hash, item_hash and FIT_LEVEL; one row per pair of texts.
        daily: query_id, item_id, day and the ENGAGEMENT counts.
        priors: of `prior_rates`.
    """
    query_keys = queries.select(
        "query_id", "region", query_hash(F.col("query_text")).alias("query_hash")
    )
    item_keys = items.select("item_id", item_hash().alias("item_hash"))
    return (
        pair_engagement(spine, query_keys, daily, priors, conf)
        .join(item_keys, on="item_id", how="left")
        .join(compared, on=["query_hash", "item_hash"], how="left")
        .withColumn("pair_bm25", _require_compared())
        .transform(finish_features, KEYS, PAIR_LEVEL, run_date)
    )


def pair_engagement(
    spine: DataFrame, queries: DataFrame, daily: DataFrame, priors: DataFrame, conf: Conf
) -> DataFrame:
    """Add what the log says of the pairs to the rows of their queries: one row per pair and day of
    the spine.

    Args:
        queries: query_id, region; other columns are kept.

    Returns:
        The columns of `queries`, item_id, day, and the features that PAIR_LEVEL has beside
        FIT_LEVEL.
    """
    return (
        sum_windows(daily, spine, KEYS, ENGAGEMENT, [WINDOW])
        .join(queries, on="query_id", how="inner")
        .join(F.broadcast(priors), on=["day", "region"], how="left")
        .withColumns(_derive_engagement(conf))
    )


def _require_compared() -> Column:
    """Return pair_bm25; raise where the pair's texts were not compared."""
    lacks = F.col("item_hash").isNotNull() & F.col("pair_bm25").isNull()
    error = F.raise_error(
        "texts of a query and an item were not compared; run `counterpoise compare_pairs` for "
        "this conf and run date first"
    )
    return F.when(lacks, error.cast("float")).otherwise(F.col("pair_bm25"))


def _derive_engagement(conf: Conf) -> dict[str, Column]:
    """Derive counts and rates of the pair from the columns of its joined history and priors."""
    shown = F.col("impressions_28d")
    rates = {
        f"pair_{rate}_28d": smooth_rate(F.col(f"{what}_28d"), shown, F.col(f"prior_{rate}"), conf)
        for rate, what in RATES
    }
    return {"pair_impressions_28d": F.log1p("impressions_28d"), **rates}
