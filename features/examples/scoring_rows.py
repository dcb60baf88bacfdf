"""Packs the candidates of a query and their features into one row of arrays."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from features.declarations import ITEM_LEVEL, PAIR_LEVEL, QUERY_LEVEL
from features.lookup import (
    FeatureTables,
    Transform,
    pack_features,
    with_item_features,
    with_pair_features,
    with_query_features,
)
from features.spec import Feature


@dataclass(frozen=True)
class ScoringInputs:
    """The candidates of the run and its feature tables."""

    candidates: DataFrame
    features: FeatureTables


def scoring_rows(inputs: ScoringInputs, max_candidates: int, run_date: date) -> DataFrame:
    """Return one row per query: its candidates by item_id, with their features as of the run date.

    The columns are those of the table, the number of `candidates`, and the counts of
    `features.lookup.MISSING` rows.
    """
    day = F.lit(run_date)
    features = inputs.features.as_of(day)
    return (
        inputs.candidates.withColumn("as_of_date", day)
        .transform(with_pair_features(features))
        .transform(at_most(max_candidates))
        .transform(with_item_features(features))
        .transform(packed_by_query, features.own_of("item", "query_item"))
        .transform(with_query_features(features))
        .withColumn("query_values", pack_features((*QUERY_LEVEL, *features.own_of("query"))))
        .withColumn("run_date", day)
    )


def at_most(candidates: int) -> Transform:
    """Keep so many candidates per query: judged before retrieved before merely seen, then the most
    shown and the best by BM25; ties by item_id.
    """
    window = Window.partitionBy("query_id").orderBy(
        F.desc("from_judgment"),
        F.desc("from_retrieval"),
        F.desc("pair_impressions_28d"),
        F.desc("pair_bm25"),
        "item_id",
    )
    return lambda df: (
        df.withColumn("place", F.row_number().over(window))
        .where(F.col("place") <= candidates)
        .drop("place")
    )


def packed_by_query(df: DataFrame, own: Sequence[Feature] = ()) -> DataFrame:
    """Collect the candidates of each query in the order of item_id; own features come last."""
    values = pack_features((*ITEM_LEVEL, *PAIR_LEVEL, *own)).alias("candidate_values")
    candidate = F.struct("item_id", values)
    grouped = df.groupBy("as_of_date", "query_id", "region").agg(
        F.sort_array(F.collect_list(candidate)).alias("packed"),
        *(F.sum(name).alias(name) for name in ("missing_item", "missing_query_item")),
    )
    return grouped.select(
        "as_of_date",
        "query_id",
        "region",
        F.col("packed.item_id").alias("item_ids"),
        F.flatten("packed.candidate_values").alias("candidate_values"),
        F.size("packed").alias("candidates"),
        "missing_item",
        "missing_query_item",
    )
