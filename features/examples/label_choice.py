"""Which label a pair gets, what it weighs, and which impression carries it."""

from collections.abc import Mapping

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from conf.schema import Conf
from conf.sections.training import TrainingSetConf
from features.labels.admitted import with_admission
from features.lookup import Transform
from features.split import with_split

PAIR = ["query_id", "item_id"]
SOURCES = ("human", "llm", "model", "assumed")


def labelled_pairs(queries: DataFrame, conf: Conf, decisions: DataFrame | None = None) -> Transform:
    """Pick one relevance label per pair of the queries that have a split, and add region and split.

    The source decides first (human, llm, model, assumed); within a source of models the version
    that was admitted last; then the latest `labelled_at`, then the greatest `labeler_version`.
    Labels of versions that are not admitted are left out.

    Args:
        decisions: rows of labeler_decisions; None: no version is admitted.
    """
    splits = queries.transform(with_split(conf.split))
    value = F.struct("source", "grade", "labeler_version", "label_admitted", "p_ge_1", "p_ge_2")

    def transform(labels: DataFrame) -> DataFrame:
        order = F.struct(
            F.array_position(F.array(*map(F.lit, reversed(SOURCES))), F.col("source")),
            "decision_no",
            "labelled_at",
            "labeler_version",
        )
        usable = labels.transform(with_admission, decisions).where("label_admitted")
        return (
            usable.groupBy(*PAIR)
            .agg(F.max_by(value, order).alias("best"))
            .select(
                *PAIR,
                F.col("best.source").alias("label_source"),
                "best.grade",
                "best.labeler_version",
                "best.label_admitted",
                F.col("best.p_ge_1").cast("float").alias("label_ge_1"),
                F.col("best.p_ge_2").cast("float").alias("label_ge_2"),
            )
            .join(splits.select("query_id", "region", "split"), on="query_id", how="inner")
        )

    return transform


def with_carrier(shown: DataFrame) -> Transform:
    """Add the search_id of the pair's latest impression, the one that carries its label."""

    def transform(labels: DataFrame) -> DataFrame:
        latest = (
            shown.join(labels.select(*PAIR), on=PAIR, how="left_semi")
            .groupBy(*PAIR)
            .agg(F.max_by("search_id", F.struct("event_time", "search_id")).alias("search_id"))
        )
        return labels.join(latest, on=PAIR, how="left")

    return transform


def with_label_weight(labels: DataFrame, conf: TrainingSetConf) -> DataFrame:
    """Add `weight_relevance`: weight of the label's source times the factor of its version."""
    weight = _look_up_weight(conf.source_weights.model_dump(), "label_source")
    if conf.version_weights:
        factor = _look_up_weight(conf.version_weights, "labeler_version")
        weight = weight * F.coalesce(factor, F.lit(1.0))
    return labels.withColumn("weight_relevance", weight.cast("float"))


def _look_up_weight(values: Mapping[str, float], key: str) -> Column:
    """Look up the value of a key; null where there is none."""
    entries = F.create_map(*(F.lit(part) for pair in values.items() for part in pair))
    return F.try_element_at(entries, F.col(key))
