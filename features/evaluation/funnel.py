"""Probabilities that contradict the funnel: a later step likelier than an earlier one."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

ORDERED = (("p_cart", "p_click"), ("p_purchase", "p_cart"), ("p_ge_2", "p_ge_1"))
_ROUNDING = 1e-6
"""Two equal probabilities may differ by this much in 32 bits."""


def measure_disorder(rows: DataFrame) -> DataFrame:
    """Count `rows` and `queries`, and measure the share of rows where "later > earlier": one row.

    The shares are null without rows.
    """
    shares = [
        F.avg((F.col(later) > F.col(earlier) + _ROUNDING).cast("double")).alias(
            f"{later} > {earlier}"
        )
        for later, earlier in ORDERED
    ]
    queries = F.count_distinct("query_id").alias("queries")
    return rows.agg(F.count(F.lit(1)).alias("rows"), queries, *shares)
