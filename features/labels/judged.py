"""From judgments to relevance labels with P(grade >= 1) and P(grade >= 2)."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from conf.sections.ingest import LabelsConf
from features.contracts import RELEVANCE_LABELS

JUDGED_SOURCES = ("human", "assumed")
"""Label sources that come from judgments."""
MODEL_SOURCES = ("llm", "model")
"""Label sources of labelers: language models, and every other kind."""
_LANGUAGE_MODELS = ("causal_lm", "openai_compatible")


def source_of(kind: str) -> str:
    """Label source of a labeler's kind: llm where a language model grades, else model."""
    return "llm" if kind in _LANGUAGE_MODELS else "model"


def labels_from_judgments(judgments: DataFrame, conf: LabelsConf) -> DataFrame:
    """Make one label per judgment, in the columns of RELEVANCE_LABELS.

    The version of a human labeler is the data set that the grades came with.
    """
    p_ge_1, p_ge_2 = _compute_soft_labels(conf) if conf.soft else _compute_hard_labels()
    labels = judgments.withColumns(
        {
            "labeler_version": F.col("dataset"),
            "p_ge_1": p_ge_1,
            "p_ge_2": p_ge_2,
            "prompt_hash": F.lit(None).cast("string"),
            "labelled_at": F.col("judged_at"),
        }
    )
    return RELEVANCE_LABELS.conform(labels)


def _compute_hard_labels() -> tuple[Column, Column]:
    """Return P(grade >= k) = 1 where the grade is at least k, else 0."""
    grade = F.col("grade")
    return (grade >= 1).cast("double"), (grade >= 2).cast("double")


def _compute_soft_labels(conf: LabelsConf) -> tuple[Column, Column]:
    """Compute P(grade >= k) from a mean rating r on the scale [low, high]; hard without a rating.

    e = 2 (r - low) / (high - low) is the expected grade. P(>= 1) = min(1, e) and
    P(>= 2) = max(0, e - 1) add up to e, and are what raters who differ by at most one grade give.
    """
    low, high = conf.rating_range
    expected = 2.0 * (F.col("rating") - low) / (high - low)
    bounded = F.greatest(F.lit(0.0), F.least(F.lit(2.0), expected))
    soft = F.least(F.lit(1.0), bounded), F.greatest(F.lit(0.0), bounded - 1.0)
    rated = F.col("rating").isNotNull() & ~F.isnan("rating")
    hard = _compute_hard_labels()
    return (
        F.when(rated, soft[0]).otherwise(hard[0]),
        F.when(rated, soft[1]).otherwise(hard[1]),
    )
