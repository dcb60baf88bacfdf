"""Which colours and sizes of the catalogue a query names, beside the basic ones that it was read
with."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

NAMED = ("colour", "size")


def name_attributes(readings: DataFrame, statistics: DataFrame) -> DataFrame:
    """Add the catalogue's colours and sizes that each query names to its own.

    A query names a colour or size of the catalogue where its tokens contain all tokens of it.
    Values are joined by their first token: an equality join, which grows with the texts, not with
    texts x values.

    Args:
        readings: text_hash and the columns of a reading; one row per query text.
        statistics: kind, value; rows of text_statistics of one run.
    """
    met = (
        readings.select("text_hash", "tokens", F.explode(F.array_distinct("tokens")).alias("token"))
        .join(_build_vocabulary(statistics), on="token", how="inner")
        .where(F.size(F.array_except("parts", "tokens")) == 0)
    )
    named = met.groupBy("text_hash").agg(
        *(
            F.array_sort(F.collect_set(F.when(F.col("kind") == kind, F.col("value")))).alias(
                f"named_{kind}s"
            )
            for kind in NAMED
        )
    )
    joined = readings.join(named, on="text_hash", how="left")
    return joined.withColumns(
        {
            f"{kind}s": F.coalesce(
                F.array_union(F.col(f"{kind}s"), F.col(f"named_{kind}s")), F.col(f"{kind}s")
            )
            for kind in NAMED
        }
    ).drop(*(f"named_{kind}s" for kind in NAMED))


def _build_vocabulary(statistics: DataFrame) -> DataFrame:
    """Return the catalogue's colours and sizes: token (the first of parts), parts, value, kind."""
    parts = F.split("value", " ")
    return statistics.where(F.col("kind").isin(*NAMED)).select(
        "kind", "value", parts.alias("parts"), F.get(parts, F.lit(0)).alias("token")
    )
