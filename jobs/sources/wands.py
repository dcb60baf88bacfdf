"""Wayfair WANDS: queries, products and Exact / Partial / Irrelevant labels.

Three tab-separated files as published (github.com/wayfair/WANDS): `query.csv` (query_id, query,
query_class), `product.csv` (product_id, product_name, product_class, category hierarchy,
product_description, product_features, rating_count, average_rating, review_count), `label.csv` (id,
query_id, product_id, label). Quotes inside a quoted value are doubled. The set has no prices,
regions, dates or engagement. Colour and material are taken from product_features, which is
"name : value|name : value".
"""

from pathlib import Path

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from conf.load import ResolvedConf
from conf.sections.datasets import WandsGrades, WandsSource
from features.contracts import IMPRESSIONS
from features.quality.typed import MALFORMED
from jobs.sources.base import (
    RawFrames,
    files_fingerprint,
    grade_of,
    no_rows,
    query_key,
    require_columns,
    require_file,
    require_section,
)
from jobs.sources.files import read_delimited

DATASET = "wands"
_COLUMNS = {
    "query.csv": ("query_id", "query"),
    "product.csv": (
        "product_id",
        "product_name",
        "product_class",
        "product_description",
        "product_features",
    ),
    "label.csv": ("query_id", "product_id", "label"),
}


def read(spark: SparkSession, conf: ResolvedConf) -> RawFrames:
    """Read the raw frames.

    Raises:
        SourceError: a file or column is missing, or the delimiter is not a tab.
    """
    source = require_section(conf, WandsSource)
    queries, products, labels = (_load_file(spark, source, name) for name in _COLUMNS)
    return RawFrames(
        items=_select_items(products),
        queries=_select_queries(queries, source),
        impressions=no_rows(spark, IMPRESSIONS),
        judgments=_select_judgments(labels, queries, source),
    )


def fingerprint(conf: ResolvedConf) -> str:
    """Hash of the files' names, sizes and times."""
    return files_fingerprint(
        _require_file(require_section(conf, WandsSource), name) for name in _COLUMNS
    )


def _select_items(products: DataFrame) -> DataFrame:
    return products.select(
        F.col("product_id").alias("item_id"),
        F.col("product_name").alias("title"),
        F.col("product_description").alias("description"),
        F.element_at(F.split("product_class", r"\|"), 1).alias("item_type"),
        _extract_feature("color").alias("colour"),
        _extract_feature("material").alias("material"),
        *_origin_columns(),
    )


def _select_queries(queries: DataFrame, source: WandsSource) -> DataFrame:
    region = F.lit(source.region)
    return queries.select(
        query_key(F.col("query"), region).alias("query_id"),
        F.col("query").alias("query_text"),
        region.alias("region"),
        *_origin_columns(),
    )


def _select_judgments(labels: DataFrame, queries: DataFrame, source: WandsSource) -> DataFrame:
    """Select labels with our query_id; a number that query.csv lacks stays, to be quarantined as
    such.
    """
    # One text a number: a number that occurs twice must not double the labels.
    texts = queries.groupBy("query_id").agg(F.min("query").alias("query"))
    key = query_key(F.col("query"), F.lit(source.region))
    return labels.join(texts, on="query_id", how="left").select(
        F.coalesce(key, F.concat(F.lit("query.csv "), "query_id")).alias("query_id"),
        F.col("product_id").alias("item_id"),
        F.lit("human").alias("source"),
        grade_of(F.col("label"), _map_grades(source.grades)).alias("grade"),
        *_origin_columns(),
    )


def _map_grades(grades: WandsGrades) -> dict[str, int]:
    return {
        "Exact": grades.exact,
        "Partial": grades.partial,
        "Irrelevant": grades.irrelevant,
    }


def _extract_feature(name: str) -> Column:
    """Extract the first value of a product feature, null where the product does not have it."""
    value = F.regexp_extract("product_features", rf"(?i)(?:^|\|)\s*{name}\s*:\s*([^|]+)", 1)
    return F.nullif(F.trim(value), F.lit(""))


def _origin_columns() -> tuple[Column, Column, Column]:
    return F.lit(DATASET).alias("dataset"), F.lit(False).alias("simulated"), F.col(MALFORMED)


def _load_file(spark: SparkSession, source: WandsSource, name: str) -> DataFrame:
    df = read_delimited(spark, str(_require_file(source, name)), "\t")
    return require_columns(df, _COLUMNS[name], name)


def _require_file(source: WandsSource, name: str) -> Path:
    return require_file(
        Path(source.path) / name,
        f"set source.path to the folder that holds {', '.join(_COLUMNS)}",
    )
