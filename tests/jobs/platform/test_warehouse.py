"""Merges are idempotent, write the difference alone, and say which version they made."""

import json
from collections.abc import Callable

import pytest
from chispa import assert_df_equality
from pyspark.sql import SparkSession

from conf.load import ResolvedConf
from jobs.delta.difference import CHANGE, find_changes
from jobs.platform.runner import open_warehouse
from jobs.platform.warehouse import MissingTableError
from tests.jobs.platform.small_tables import PRICES, prices

MakeConf = Callable[..., ResolvedConf]


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


def test_an_unchanged_merge_commits_nothing(spark: SparkSession, make_conf: MakeConf) -> None:
    warehouse, report = open_warehouse(spark, make_conf(), "test")
    rows = prices(spark, ("a", 1.0), ("b", 2.0))
    first = warehouse.merge(PRICES, rows)
    for prune in (None, "true"):
        assert warehouse.merge(PRICES, rows, prune=prune) == first
    assert report.outputs == {"prices": first.version}


def test_merge_writes_the_difference_alone(spark: SparkSession, make_conf: MakeConf) -> None:
    warehouse, _ = open_warehouse(spark, make_conf(), "test")
    warehouse.merge(PRICES, prices(spark, ("a", 1.0), ("b", 2.0), ("c", 3.0), ("kept", 4.0)))
    rows = prices(spark, ("b", 2.0), ("c", 9.0), ("d", 4.0))
    written = warehouse.merge(PRICES, rows, prune="item_id != 'kept'")
    assert written.rows == 3
    assert sorted(map(tuple, warehouse.read(PRICES).collect())) == [
        *(("b", 2.0), ("c", 9.0), ("d", 4.0), ("kept", 4.0)),
    ]
    commit = warehouse.last_commit(PRICES)
    changed = ("Inserted", "Updated", "Deleted")
    assert [commit.metrics[f"numTargetRows{how}"] for how in changed] == ["1", "1", "1"]


def test_the_difference_of_prune_and_insert_only(spark: SparkSession) -> None:
    there, rows = prices(spark, ("a", 1.0), ("b", 2.0)), prices(spark, ("b", 3.0), ("c", 4.0))

    def found(update: bool, prune: str | None) -> dict[str, tuple[str, float | None]]:
        what = find_changes(PRICES, there, rows, update=update, prune=prune).collect()
        return {r["item_id"]: (r[CHANGE], r["price"]) for r in what}

    new, changed = {"c": ("insert", 4.0)}, {"b": ("update", 3.0)}
    assert found(True, None) == new | changed
    assert found(False, None) == new | {"b": ("same", None)}
    assert found(True, "price < 2") == new | changed | {"a": ("delete", None)}
    assert found(True, "price < 1") == new | changed


def test_pinned_version_is_read(spark: SparkSession, make_conf: MakeConf) -> None:
    warehouse, report = open_warehouse(spark, make_conf(), "test")
    first = warehouse.merge(PRICES, prices(spark, ("a", 1.0)))
    warehouse.merge(PRICES, prices(spark, ("b", 2.0)))
    assert warehouse.read(PRICES, at=first.version).count() == 1
    assert report.inputs["prices"] == first.version


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
    warehouse.merge(PRICES, prices(spark, ("a", 2.0)))
    history = spark.sql(f"DESCRIBE HISTORY {warehouse.build_identifier(PRICES)}")
    for operation in ("WRITE", "MERGE"):
        metadata = json.loads(history.where(f"operation = '{operation}'").first()["userMetadata"])
        assert metadata["job"] == "some_job"
        assert metadata["conf_hash"] == conf.hash
    assert spark.conf.get("spark.databricks.delta.commitInfo.userMetadata", None) is None


def test_a_table_whose_first_commit_a_kill_prevented_is_made(
    spark: SparkSession, make_conf: MakeConf
) -> None:
    warehouse, _ = open_warehouse(spark, make_conf(), "test")
    log = warehouse.root / "tables" / PRICES.name / "_delta_log"
    (log / "_staged_commits").mkdir(parents=True)
    (log / ".00000000000000000000.json.tmp").touch()
    assert warehouse.merge(PRICES, prices(spark, ("a", 1.0))).rows == 1
    assert warehouse.read(PRICES).count() == 1
