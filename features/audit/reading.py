"""Which units a model reads again, with what texts, and in which fold."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from conf.sections.audit import RereadConf
from features.audit.evidence import UNIT
from features.draws import draw_hash
from features.text.texts import item_title

_VALIDATION_PARTS = 10
"""One part in so many of the query texts validates: a tenth."""


def texts_to_read(tested: DataFrame, items: DataFrame, conf: RereadConf, seed: int) -> DataFrame:
    """Return UNIT, query_text, item_text and fold of the units that the model is to read.

    Args:
        tested: units with `contradicts`.
        items: rows of the items table.
    """
    asked = tested if conf.scope == "all" else tested.where("contradicts != 0")
    return add_item_text(asked, items).select(
        *UNIT, "query_text", "item_text", assign_fold(conf.folds, seed).alias("fold")
    )


def pairs_to_fit(tested: DataFrame, items: DataFrame, conf: RereadConf, seed: int) -> DataFrame:
    """Return query_text, item_text, grade, fold and validates: what the folds' labelers learn from.

    Units whose engagement contradicts their grade are left out. Rows are drawn by hash, so many
    that all folds but one hold `max_fit_pairs` rows together; a tenth of the query texts validates.
    """
    most = conf.max_fit_pairs * conf.folds // (conf.folds - 1)
    chance = draw_hash(seed, "audit/fit", *UNIT)
    part = F.pmod(draw_hash(seed, "audit/validate", "text_key"), _VALIDATION_PARTS)
    return (
        add_item_text(tested.where("contradicts = 0"), items)
        .orderBy(chance, *UNIT)
        .limit(most)
        .select(
            "query_text",
            "item_text",
            "grade",
            assign_fold(conf.folds, seed).alias("fold"),
            (part == 0).alias("validates"),
        )
    )


def add_item_text(units: DataFrame, items: DataFrame) -> DataFrame:
    """Add item_text: the title, led by the brand where it lacks it."""
    text = item_title(F.col("title"), F.col("brand"))
    return units.join(items.select("item_id", text.alias("item_text")), on="item_id", how="inner")


def assign_fold(folds: int, seed: int) -> Column:
    """Assign a unit its fold (int, 0 .. folds - 1): all units of a query text share it."""
    return F.pmod(draw_hash(seed, "audit/fold", "text_key"), folds).cast("int")


def with_reading(tested: DataFrame, read: DataFrame, held_out: bool) -> DataFrame:
    """Add what the model said to the units; nulls where it did not read one.

    Args:
        read: UNIT, model_version, model_p_ge_1, model_p_ge_2, model_grade.
    """
    answers = ("model_version", "model_p_ge_1", "model_p_ge_2", "model_grade")
    held = F.when(F.col("model_version").isNotNull(), F.lit(held_out))
    return tested.join(read.select(*UNIT, *answers), on=list(UNIT), how="left").withColumn(
        "model_held_out", held
    )
