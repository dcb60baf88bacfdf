"""How a feature table ends: the declared columns, as floats, never null and always finite."""

from collections.abc import Sequence
from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from features.spec import Feature


def finish_features(
    df: DataFrame, keys: Sequence[str], features: Sequence[Feature], run_date: date
) -> DataFrame:
    """Select run_date, as_of_date (from `day`), the keys and the declared features (float32)."""
    return df.select(
        F.lit(run_date).alias("run_date"),
        F.col("day").alias("as_of_date"),
        *keys,
        *(_fill_default(feature) for feature in features),
    )


def to_flag(condition: Column) -> Column:
    """Return 1.0 where the condition holds, else 0.0 (null counts as not)."""
    return F.when(condition, F.lit(1.0)).otherwise(F.lit(0.0))


def _fill_default(feature: Feature) -> Column:
    """Fill the declared default where a value is unknown (null)."""
    value = F.col(feature.name).cast("float")
    return F.coalesce(value, F.lit(feature.default).cast("float")).alias(feature.name)
