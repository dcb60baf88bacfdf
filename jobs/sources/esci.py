"""Amazon Shopping Queries (ESCI): queries, products and E / S / C / I labels in three locales.

Two Parquet files as published (github.com/amazon-science/esci-data):
`shopping_queries_dataset_examples.parquet` (query, query_id, product_id, product_locale,
esci_label, small_version, ...) and `shopping_queries_dataset_products.parquet` (product_id,
product_locale, product_title, product_description, product_bullet_point, product_brand,
product_color). A product has other text in another locale, so an item is a product in a locale. The
set has no prices, dates or engagement.
"""

from pathlib import Path

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from conf.load import ResolvedConf
from conf.sections.datasets import EsciGrades, EsciSource
from features.contracts import IMPRESSIONS
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
from jobs.sources.files import load_frame

DATASET = "esci"
EXAMPLES = "shopping_queries_dataset_examples.parquet"
PRODUCTS = "shopping_queries_dataset_products.parquet"
_EXAMPLE_COLUMNS = ("query", "product_id", "product_locale", "esci_label", "small_version")
_PRODUCT_COLUMNS = (
    "product_id",
    "product_locale",
    "product_title",
    "product_description",
    "product_bullet_point",
    "product_brand",
    "product_color",
)


def read(spark: SparkSession, conf: ResolvedConf) -> RawFrames:
    """Read the raw frames of the locales in conf.

    Raises:
        SourceError: a file or column is missing.
    """
    source = require_section(conf, EsciSource)
    examples = _load_file(spark, source, EXAMPLES).transform(
        require_columns, _EXAMPLE_COLUMNS, EXAMPLES
    )
    products = _load_file(spark, source, PRODUCTS).transform(
        require_columns, _PRODUCT_COLUMNS, PRODUCTS
    )
    if source.small_version:
        examples = examples.where(F.col("small_version") == 1)
    in_locales = F.col("product_locale").isin(*source.locales)
    examples, products = examples.where(in_locales), products.where(in_locales)
    return RawFrames(
        items=_select_items(products),
        queries=_select_queries(examples),
        impressions=no_rows(spark, IMPRESSIONS),
        judgments=_select_judgments(examples, source),
    )


def fingerprint(conf: ResolvedConf) -> str:
    """Hash the files' names, sizes and times."""
    return files_fingerprint(
        _require_file(require_section(conf, EsciSource), name) for name in (EXAMPLES, PRODUCTS)
    )


def _select_items(products: DataFrame) -> DataFrame:
    return products.select(
        _item_id(),
        F.col("product_title").alias("title"),
        F.coalesce("product_description", "product_bullet_point").alias("description"),
        F.col("product_brand").alias("brand"),
        F.col("product_color").alias("colour"),
        F.lit(DATASET).alias("dataset"),
        F.lit(False).alias("simulated"),
    )


def _select_queries(examples: DataFrame) -> DataFrame:
    """Select one row per query: texts that differ in case or outer blanks only
    are the same query.
    """
    return (
        examples.groupBy(_query_id(), F.col("product_locale").alias("region"))
        .agg(F.min("query").alias("query_text"))
        .withColumns({"dataset": F.lit(DATASET), "simulated": F.lit(False)})
    )


def _select_judgments(examples: DataFrame, source: EsciSource) -> DataFrame:
    return examples.select(
        _query_id(),
        _item_id(),
        F.lit("human").alias("source"),
        grade_of(F.col("esci_label"), _map_grades(source.grades)).alias("grade"),
        F.lit(DATASET).alias("dataset"),
        F.lit(False).alias("simulated"),
    )


def _map_grades(grades: EsciGrades) -> dict[str, int]:
    return {
        "E": grades.exact,
        "S": grades.substitute,
        "C": grades.complement,
        "I": grades.irrelevant,
    }


def _query_id() -> Column:
    return query_key(F.col("query"), F.col("product_locale")).alias("query_id")


def _item_id() -> Column:
    return F.concat("product_locale", F.lit("-"), "product_id").alias("item_id")


def _load_file(spark: SparkSession, source: EsciSource, name: str) -> DataFrame:
    return load_frame(spark, "parquet", str(_require_file(source, name)))


def _require_file(source: EsciSource, name: str) -> Path:
    mend = f"set source.path to the folder that holds {EXAMPLES} and {PRODUCTS}"
    return require_file(Path(source.path) / name, mend)
