"""Rows of an experiment's snapshot: what a trainer reads, all splits, and codes to group rows by.

A snapshot holds float32 only, so a code is a whole number from 0 that float32 holds exactly.
"""

from collections.abc import Mapping

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from features.examples.snapshot import RANGE_BITS
from features.lookup import Transform
from features.text.texts import text_key

SPLITS = ("train", "validation", "test")
CODE_LIMIT = 2**24
"""Whole numbers below it are exact in float32."""

CODES = {
    "list_code": "the list that an NDCG is taken over: the query, or the result page in a log of "
    "sessions (from 0)",
    "page_code": "the result page (from 0); -1 never shown",
    "item_code": "the item (from 0)",
    "unit_code": "what a bootstrap draws: the query's text in all regions, or the user (from 0)",
}
JUDGED = {
    "judged": "1 where the row carries a grade by people",
    "grade": "grade of the row's relevance label, 0 to 2; -1 none",
}

LOGGED = {
    "propensity": "probability that the logger put this item at this position; -1 not logged",
}
TRUTH = {
    f"p_true_{task}": f"planted P({task}) when shown at position 1; -1 not in the market"
    for task in ("click", "cart", "purchase")
}
BLIND = {
    name.replace("p_true", "p_blind"): "mean of the planted probability over the regions of the "
    "same query text; -1 not in the market"
    for name in TRUTH
}


def with_codes(keys: Mapping[str, str], source: DataFrame) -> Transform:
    """Add each code of the column that `keys` names for it; a null key has the code -1.

    Args:
        keys: column of the key by code.
        source: all rows with the keys: the rows that are coded, before costly joins.
    """

    def transform(rows: DataFrame) -> DataFrame:
        coded = rows
        for code, key in keys.items():
            coded = coded.join(dense_codes(source, key, code), on=key, how="left")
        return coded.fillna(-1, list(keys))

    return transform


def dense_codes(rows: DataFrame, key: str, code: str) -> DataFrame:
    """Number the distinct values of a column from 0, in the order of their hash: key, code.

    The same whatever the partitions, and without a sort of everything in one task: the places
    within a range of the hash are added to the sizes of the ranges before it.
    """
    hashed = F.xxhash64(F.lit(code), F.col(key))
    keys = (
        rows.where(F.col(key).isNotNull())
        .select(key)
        .distinct()
        .withColumn("hash", hashed)
        .withColumn("hash_range", F.shiftright("hash", 64 - RANGE_BITS))
    )
    earlier = Window.orderBy("hash_range").rowsBetween(Window.unboundedPreceding, -1)
    sizes = keys.groupBy("hash_range").agg(F.count(F.lit(1)).alias("size"))
    offsets = sizes.select(
        "hash_range", F.coalesce(F.sum("size").over(earlier), F.lit(0)).alias("offset")
    )
    within = F.row_number().over(Window.partitionBy("hash_range").orderBy("hash", key)) - 1
    return keys.join(F.broadcast(offsets), on="hash_range", how="inner").select(
        key, (F.col("offset") + within).alias(code)
    )


def chain_rows(examples: DataFrame, queries: DataFrame, truth: DataFrame | None) -> DataFrame:
    """Return training examples with their codes, `judged`, `grade`, `propensity` and planted truth.

    The truth's mean over regions counts each region of a text alike, whatever its traffic.

    Args:
        examples: rows of one run of training_examples.
        queries: the table queries; one text in two regions is one unit.
        truth: the table market_truth, one row per query and item; None: nothing is planted.
    """
    codes = {"list_code": "query_id", "page_code": "search_id", "item_code": "item_id"}
    texts = queries.select("query_id", text_key(F.col("query_text")).alias("unit"))
    rows = (
        examples.join(texts, on="query_id", how="left")
        .transform(with_codes(codes, examples))
        .transform(with_codes({"unit_code": "unit"}, texts))
        .withColumns(
            {
                "judged": (F.coalesce("label_source", F.lit("")) == "human").cast("int"),
                "grade": F.coalesce("grade", F.lit(-1)),
                "propensity": F.coalesce("propensity", F.lit(-1.0)),
            }
        )
    )
    return rows if truth is None else rows.transform(_with_truth(truth, texts))


def _with_truth(truth: DataFrame, texts: DataFrame) -> Transform:
    """Add TRUTH and BLIND; `texts` has the unit (the text) of each query_id."""
    regions = Window.partitionBy("unit", "item_id")
    planted = (
        truth.join(texts, on="query_id", how="inner")
        .select(
            "query_id",
            "item_id",
            "unit",
            *(F.col(name.replace("p_true", "true_p")).alias(name) for name in TRUTH),
        )
        .withColumns(
            {blind: F.avg(true).over(regions) for blind, true in zip(BLIND, TRUTH, strict=True)}
        )
        .drop("unit")
    )
    return lambda rows: rows.join(planted, on=["query_id", "item_id"], how="left").fillna(
        -1.0, [*TRUTH, *BLIND]
    )
