"""Histograms of predicted probabilities: AUC, log loss and calibration from bounded sums."""

from collections.abc import Callable

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from features.contracts.training import TASKS
from features.evaluation.lists import mask_label

_LEAST, _MOST = -12.0, 6.0
"""Bounds of the bins (logits), as probabilities 6e-6 and 0.998: the outer bins hold the rest."""
_TINY = 1e-7
"""Distance kept from 0 and 1, where a logit is infinite: about the precision of 32 bits."""


def prediction_histogram(width: float, examination: Column) -> Callable[[DataFrame], DataFrame]:
    """Turn shown rows into one row per block, region, task and bin of the prediction.

    Bins are `width` wide in the logit of P(task | position 1), from -12 to 6. A prediction holds
    for position 1, a label for the position where the item stood: the row's probability is taken
    as prediction x relative examination. Rows shown at position 1 are summed on their own, too:
    they need no examination, but only cover what the logger put first.

    Args:
        width: width of a bin (logits).
        examination: P(examined) of the row's position over that of position 1.

    Returns:
        block, region, task, bin, rows, positives, expected (sum of probabilities), loss (sum of
        cross-entropies, nats), and rows, positives, expected of position 1 as `first_...`.
    """
    tasks = F.array(
        *(
            F.struct(
                F.lit(t).alias("task"),
                F.col(f"p_{t}").cast("double").alias("p"),
                mask_label(t).alias("label"),
            )
            for t in TASKS
        )
    )
    at_top = F.col("position") == 1

    def transform(rows: DataFrame) -> DataFrame:
        return (
            rows.select("block", "region", "position", examination.alias("seen"), F.inline(tasks))
            .where(F.col("label").isNotNull())
            .withColumn("expected", F.col("p") * F.col("seen"))
            .groupBy("block", "region", "task", _assign_bin(F.col("p"), width).alias("bin"))
            .agg(
                F.count(F.lit(1)).alias("rows"),
                F.sum("label").alias("positives"),
                F.sum("expected").alias("expected"),
                F.sum(_cross_entropy(F.col("expected"), F.col("label"))).alias("loss"),
                F.count_if(at_top).alias("first_rows"),
                F.sum(F.when(at_top, F.col("label")).otherwise(0.0)).alias("first_positives"),
                F.sum(F.when(at_top, F.col("p")).otherwise(0.0)).alias("first_expected"),
            )
        )

    return transform


def queries_by_task(rows: DataFrame) -> DataFrame:
    """Count, by region and task, the queries with a shown row whose label is known."""
    counted = [
        F.count_distinct(F.when(mask_label(t).isNotNull(), F.col("query_id"))).alias(t)
        for t in TASKS
    ]
    return rows.groupBy("region").agg(*counted)


def _assign_bin(p: Column, width: float) -> Column:
    inside = F.greatest(F.least(p, F.lit(1 - _TINY)), F.lit(_TINY))
    logit = F.log(inside / (1 - inside))
    bounded = F.greatest(F.least(logit, F.lit(_MOST)), F.lit(_LEAST))
    return F.floor((bounded - _LEAST) / width).cast("int")


def _cross_entropy(p: Column, y: Column) -> Column:
    inside = F.greatest(F.least(p, F.lit(1 - _TINY)), F.lit(_TINY))
    return -(y * F.log(inside) + (1 - y) * F.log1p(-inside))
