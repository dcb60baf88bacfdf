"""Which model labels may be used: those of labeler versions whose last decision admits them."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from features.labels.judged import MODEL_SOURCES


def version_status(decisions: DataFrame) -> DataFrame:
    """Return labeler_version, admitted and decision_no of the last decision on each version."""
    return (
        decisions.groupBy("labeler_version")
        .agg(
            F.max_by("decision", "decision_no").alias("decision"),
            F.max("decision_no").alias("decision_no"),
        )
        .select(
            "labeler_version", (F.col("decision") == "admitted").alias("admitted"), "decision_no"
        )
    )


def with_admission(labels: DataFrame, decisions: DataFrame | None) -> DataFrame:
    """Add label_admitted and decision_no (0 where none) to rows of relevance_labels.

    Labels of people and assumed ones are admitted. A model label is admitted only where the last
    decision on its version admits that version.

    Args:
        decisions: rows of labeler_decisions; None: there are none yet.
    """
    is_model = F.col("source").isin(*MODEL_SOURCES)
    if decisions is None:
        return labels.withColumns(
            {"label_admitted": ~is_model, "decision_no": F.lit(0).cast("long")}
        )
    decided = labels.join(F.broadcast(version_status(decisions)), on="labeler_version", how="left")
    admitted = ~is_model | F.coalesce("admitted", F.lit(False))
    return decided.withColumns(
        {"label_admitted": admitted, "decision_no": F.coalesce("decision_no", F.lit(0))}
    ).drop("admitted")
