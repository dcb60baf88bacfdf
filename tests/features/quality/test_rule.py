"""The rules of a table as Java code: small enough to be compiled."""

from collections.abc import Callable, Iterator
from datetime import date

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from conf.load import ResolvedConf
from features.contracts import IMPRESSIONS
from features.quality.tables import References, checked_impressions

OPTIONS = {
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.codegen.wholeStage": "true",
    "spark.sql.codegen.factoryMode": "FALLBACK",
}
"""A query is planned before its first task, and compiled in the pieces in which a night's is."""


@pytest.fixture
def planned_at_once(spark: SparkSession) -> Iterator[SparkSession]:
    before = {name: str(spark.conf.get(name)) for name in OPTIONS}
    for name, value in OPTIONS.items():
        spark.conf.set(name, value)
    yield spark
    for name, value in before.items():
        spark.conf.set(name, value)


@pytest.mark.parametrize("as_read", ["typed", "texts"])
def test_the_rules_of_the_widest_table_compile_as_one_method(
    planned_at_once: SparkSession,
    make_conf: Callable[..., ResolvedConf],
    capsys: pytest.CaptureFixture[str],
    as_read: str,
) -> None:
    spark = planned_at_once
    known = References(
        F.broadcast(spark.createDataFrame([("a",)], "item_id string")),
        F.broadcast(spark.createDataFrame([("q", "us")], "query_id string, region string")),
    )
    columns = {c.name: c.type if as_read == "typed" else "string" for c in IMPRESSIONS.columns}
    value = F.col("id").cast("string")  # no literal: Spark would work it out while it plans
    raw = spark.range(1).select(*(value.cast(form).alias(name) for name, form in columns.items()))
    conf = make_conf("regions=[us]").tree
    checked = checked_impressions(raw, conf, date(2026, 3, 1), known)
    capsys.readouterr()
    checked.explain("codegen")
    code = capsys.readouterr().out
    assert code.count("maxMethodCodeSize:") >= 2
    assert "maxMethodCodeSize:-1" not in code  # what Spark writes where the compiler gave up
