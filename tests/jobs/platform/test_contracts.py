"""A table has the columns, checks and bounds of its contract, whatever contract made it."""

import datetime as dt
import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from conf.load import ResolvedConf
from features.contracts import ALL_TABLES, SCORES, Constraint, Table
from features.contracts.table import ContractError, declare_optional, declare_required
from jobs.platform.runner import open_warehouse
from tests.jobs.platform.small_tables import PRICES, RUN, prices

SHOWN = Table(
    name="shown",
    grain="one row per run and item",
    columns=declare_required(
        [
            ("run_date", "date", "run"),
            ("item_id", "string", "item"),
            ("shown_at", "timestamp", "when it was shown (UTC)"),
            ("price", "double", "price"),
        ]
    ),
    key=("run_date", "item_id"),
    cluster_by=("run_date",),
)
MakeConf = Callable[..., ResolvedConf]


def test_constraint_and_missing_column_are_refused(
    spark: SparkSession, make_conf: MakeConf
) -> None:
    warehouse, _ = open_warehouse(spark, make_conf(), "test")
    with pytest.raises((PySparkException, Py4JJavaError), match="price_positive"):
        warehouse.replace(PRICES, prices(spark, ("a", -1.0)), "true")
    with pytest.raises(ContractError, match=r"prices: columns \['price'\] are missing"):
        warehouse.merge(PRICES, prices(spark, ("a", 1.0)).drop("price"))


def test_contract_becomes_the_table(spark: SparkSession, make_conf: MakeConf) -> None:
    warehouse, _ = open_warehouse(spark, make_conf(), "test")
    warehouse.create(SCORES)
    detail = spark.sql(f"DESCRIBE DETAIL {warehouse.build_identifier(SCORES)}").first()
    fields = warehouse.read(SCORES).schema.fields
    assert detail["description"] == SCORES.grain
    assert detail["clusteringColumns"] == list(SCORES.cluster_by)
    assert detail["properties"]["delta.constraints.rank_from_one"] == "rank >= 1"
    assert [f.name for f in fields] == SCORES.column_names
    assert not any(f.nullable for f in fields)
    assert [f.metadata["comment"] for f in fields] == [c.comment for c in SCORES.columns]


def test_a_table_of_an_older_contract_gets_the_checks_of_this_one(
    spark: SparkSession, make_conf: MakeConf
) -> None:
    older = replace(PRICES, checks=(Constraint("price_positive", "price > 10"),))
    open_warehouse(spark, make_conf(), "test")[0].merge(older, prices(spark, ("a", 11.0)))
    warehouse, _ = open_warehouse(spark, make_conf(), "test")
    warehouse.merge(PRICES, prices(spark, ("b", 2.0)))
    assert warehouse.read(PRICES).count() == 2
    with pytest.raises((PySparkException, Py4JJavaError), match="price_positive"):
        warehouse.merge(PRICES, prices(spark, ("c", -1.0)))


def test_files_keep_bounds_of_what_reads_look_for(spark: SparkSession, make_conf: MakeConf) -> None:
    warehouse, _ = open_warehouse(spark, make_conf(), "test")
    row = (RUN, "a", dt.datetime(2026, 3, 1, 12), 1.0)
    rows = spark.createDataFrame([row], ", ".join(f"{c.name} {c.type}" for c in SHOWN.columns))
    warehouse.replace_run(SHOWN, rows)

    log = warehouse.root / "tables" / SHOWN.name / "_delta_log"
    lines = [json.loads(line) for path in log.glob("*.json") for line in path.open()]
    bounds = [json.loads(line["add"]["stats"])["minValues"] for line in lines if "add" in line]
    assert SHOWN.skipped_by == ["run_date", "item_id", "shown_at"]
    assert [sorted(b) for b in bounds] == [sorted(SHOWN.skipped_by)]


def test_contracts_are_consistent() -> None:
    names = [table.name for table in ALL_TABLES]
    assert len(set(names)) == len(names)
    for table in ALL_TABLES:
        columns = table.column_names
        assert len(set(columns)) == len(columns), table.name
        assert {*table.key, *table.cluster_by} <= set(columns), table.name


def test_a_table_of_an_older_contract_reads_as_null_and_gets_the_new_columns(
    spark: SparkSession, make_conf: MakeConf
) -> None:
    warehouse, _ = open_warehouse(spark, make_conf(), "test")
    warehouse.merge(PRICES, prices(spark, ("a", 1.0)))
    grown = replace(
        PRICES, columns=(*PRICES.columns, *declare_optional([("was", "double", "old price")]))
    )
    later, _ = open_warehouse(spark, make_conf(), "test")
    assert [tuple(row) for row in later.read(grown).collect()] == [("a", 1.0, None)]
    later.merge(grown, prices(spark, ("b", 2.0)).selectExpr("*", "9D as was"))
    rows = later.open_delta(grown).toDF().select(*grown.column_names).collect()
    assert sorted(map(tuple, rows), key=str) == [("a", 1.0, None), ("b", 2.0, 9.0)]
