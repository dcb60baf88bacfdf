"""Writes are idempotent, constrained, and say which version they made."""

import datetime as dt
import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from chispa import assert_df_equality
from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession

from conf.load import ResolvedConf
from features.contracts import ALL_TABLES, SCORES, Check, Table
from features.contracts.table import ContractError, optional, required
from jobs.platform.runner import open_warehouse
from jobs.platform.warehouse import MissingTableError

RUN = dt.date(2026, 3, 1)
PRICES = Table(
    name="prices",
    grain="one row per item",
    columns=required([("item_id", "string", "item's id"), ("price", "double", "price")]),
    key=("item_id",),
    checks=(Check("price_positive", "price > 0"),),
    cluster_by=("item_id",),
)
DAILY = Table(
    name="daily",
    grain="one row per run and item",
    columns=required([("run_date", "date", "run"), ("item_id", "string", "item")]),
    key=("run_date", "item_id"),
)
SHOWN = Table(
    name="shown",
    grain="one row per run and item",
    columns=required(
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


def prices(spark: SparkSession, *rows: tuple[str, float]) -> DataFrame:
    return spark.createDataFrame(list(rows), "item_id string, price double")


def test_merge_twice_changes_nothing(spark: SparkSession, make_conf: MakeConf) -> None:
    warehouse, report = open_warehouse(spark, make_conf(), "test")
    warehouse.merge(PRICES, prices(spark, ("a", 1.0), ("b", 2.0)))
    written = warehouse.merge(PRICES, prices(spark, ("b", 3.0), ("c", 4.0)))
    expected = prices(spark, ("a", 1.0), ("b", 3.0), ("c", 4.0))

    assert written.rows == 2
    assert_df_equality(
        warehouse.read(PRICES),
        expected,
        ignore_row_order=True,
        ignore_nullable=True,
        ignore_metadata=True,
    )
    assert report.inputs == {"prices": written.version}


def test_insert_only_merge_keeps_old_values(spark: SparkSession, make_conf: MakeConf) -> None:
    warehouse, _ = open_warehouse(spark, make_conf(), "test")
    warehouse.merge(PRICES, prices(spark, ("a", 1.0)), update=False)
    warehouse.merge(PRICES, prices(spark, ("a", 9.0), ("b", 2.0)), update=False)
    assert sorted(map(tuple, warehouse.read(PRICES).collect())) == [("a", 1.0), ("b", 2.0)]


def test_replace_touches_only_its_run_date(spark: SparkSession, make_conf: MakeConf) -> None:
    warehouse, _ = open_warehouse(spark, make_conf(), "test")
    other = spark.createDataFrame([(dt.date(2026, 2, 1), "x")], "run_date date, item_id string")
    mine = spark.createDataFrame([(RUN, "a"), (RUN, "b")], other.schema)
    warehouse.replace(DAILY, other, "run_date = DATE'2026-02-01'")

    versions = [warehouse.replace_run(DAILY, mine).version for _ in range(2)]

    assert versions[1] == versions[0] + 1
    assert warehouse.read(DAILY).count() == 3
    assert warehouse.read_run(DAILY).count() == 2


def test_pinned_version_is_read(spark: SparkSession, make_conf: MakeConf) -> None:
    warehouse, report = open_warehouse(spark, make_conf(), "test")
    first = warehouse.merge(PRICES, prices(spark, ("a", 1.0)))
    warehouse.merge(PRICES, prices(spark, ("b", 2.0)))
    assert warehouse.read(PRICES, at=first.version).count() == 1
    assert report.inputs["prices"] == first.version


def test_constraint_and_missing_column_are_refused(
    spark: SparkSession, make_conf: MakeConf
) -> None:
    warehouse, _ = open_warehouse(spark, make_conf(), "test")
    with pytest.raises(PySparkException, match="price_positive"):
        warehouse.replace(PRICES, prices(spark, ("a", -1.0)), "true")
    with pytest.raises(ContractError, match=r"prices: columns \['price'\] are missing"):
        warehouse.merge(PRICES, prices(spark, ("a", 1.0)).drop("price"))


def test_dry_run_writes_nothing(spark: SparkSession, make_conf: MakeConf) -> None:
    warehouse, report = open_warehouse(spark, make_conf(dry_run=True), "test")
    assert warehouse.merge(PRICES, prices(spark, ("a", 1.0))).rows == 1
    assert not warehouse.root.exists()
    assert "dry run: would write 1 rows to prices (merge on item_id)" in report.notes


def test_missing_table_names_the_mend(spark: SparkSession, make_conf: MakeConf) -> None:
    warehouse, _ = open_warehouse(spark, make_conf(), "test")
    with pytest.raises(MissingTableError, match="table prices does not exist"):
        warehouse.read(PRICES)


def test_commits_say_who_wrote_them(spark: SparkSession, make_conf: MakeConf) -> None:
    conf = make_conf()
    warehouse, _ = open_warehouse(spark, conf, "some_job")
    warehouse.merge(PRICES, prices(spark, ("a", 1.0)))
    history = spark.sql(f"DESCRIBE HISTORY {warehouse.identifier(PRICES)}")
    metadata = json.loads(history.where("operation = 'MERGE'").first()["userMetadata"])
    assert metadata["job"] == "some_job"
    assert metadata["conf_hash"] == conf.hash
    assert spark.conf.get("spark.databricks.delta.commitInfo.userMetadata", None) is None


def test_contract_becomes_the_table(spark: SparkSession, make_conf: MakeConf) -> None:
    warehouse, _ = open_warehouse(spark, make_conf(), "test")
    warehouse.create(SCORES)
    detail = spark.sql(f"DESCRIBE DETAIL {warehouse.identifier(SCORES)}").first()
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
    older = replace(PRICES, checks=(Check("price_positive", "price > 10"),))
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
    grown = replace(PRICES, columns=(*PRICES.columns, *optional([("was", "double", "old price")])))
    later, _ = open_warehouse(spark, make_conf(), "test")
    assert [tuple(row) for row in later.read(grown).collect()] == [("a", 1.0, None)]
    later.merge(grown, prices(spark, ("b", 2.0)).selectExpr("*", "9D as was"))
    rows = later.delta(grown).toDF().select(*grown.column_names).collect()
    assert sorted(map(tuple, rows), key=str) == [("a", 1.0, None), ("b", 2.0, 9.0)]
