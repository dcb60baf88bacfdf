"""What must be known of the rows of EXAMPLE_SCORES before they are measured."""

from collections.abc import Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F


def example_facts(rows: DataFrame, queries: DataFrame, test_buckets: Sequence[int]) -> DataFrame:
    """Count rows by use, and tell the model version and whether engagement is simulated: one row.

    Returns:
        rows, test_rows (marked as test, or of a query in a test bucket), human_rows,
        human_queries (that have such a row), labelled_rows, shown_rows, model_version (null
        without rows), simulated_engagement.
    """
    buckets = queries.select("query_id", "bucket")
    in_test = F.coalesce(F.col("bucket").isin(*test_buckets), F.lit(False))
    shown = F.col("search_id").isNotNull()
    human = F.col("grade").isNotNull() & (F.col("label_source") == "human")
    return rows.join(buckets, on="query_id", how="left").agg(
        F.count(F.lit(1)).alias("rows"),
        F.count_if((F.col("split") == "test") | in_test).alias("test_rows"),
        F.count_if(human).alias("human_rows"),
        F.count_distinct(F.when(human, F.col("query_id"))).alias("human_queries"),
        F.count("grade").alias("labelled_rows"),
        F.count_if(shown).alias("shown_rows"),
        F.max("model_version").alias("model_version"),
        F.coalesce(F.bool_or(shown & F.col("simulated_engagement")), F.lit(False)).alias(
            "simulated_engagement"
        ),
    )


def simulated_sources(labels: DataFrame) -> DataFrame:
    """Return each source of relevance labels, and whether any of its labels is simulated or
    assumed.
    """
    return labels.groupBy("source").agg(F.bool_or("simulated").alias("simulated"))
