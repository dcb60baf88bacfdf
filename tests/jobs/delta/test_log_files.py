"""The log that is read from files says what Spark says of the same table."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from delta.tables import DeltaTable
from pyspark.sql import SparkSession

from conf.load import ResolvedConf
from features.contracts import Table
from features.contracts.table import Column, Constraint, declare_required
from jobs.delta.history import commits_by_spark
from jobs.delta.log_files import (
    TableState,
    UnreadableLogError,
    is_table,
    newest_commits,
    read_state,
)
from jobs.platform.runner import open_warehouse

MakeConf = Callable[..., ResolvedConf]
NOTES = Table(
    name="notes",
    grain="one row per run date and item",
    columns=(
        *declare_required([("run_date", "date", ""), ("item_id", "string", "")]),
        Column("note", "string", "", required=False),
    ),
    key=("run_date", "item_id"),
    checks=(Constraint("item_is_named", "item_id <> ''"),),
)


def assert_as_spark_says(spark: SparkSession, folder: Path) -> None:
    """Commits, columns, properties and files are those of Delta's own reader."""
    table = DeltaTable.forPath(spark, str(folder))
    assert list(newest_commits(folder)) == list(commits_by_spark(table))
    state, rows = read_state(folder), table.toDF()
    assert list(state.columns) == rows.columns
    files = {Path("/" + uri.removeprefix("file:").lstrip("/")) for uri in rows.inputFiles()}
    assert set(state.files) == files
    assert all(path.is_file() for path in files)
    said = spark.sql(f"SHOW TBLPROPERTIES delta.`{folder}`").collect()
    assert state.properties.items() <= {row["key"]: row["value"] for row in said}.items()
    assert state.properties["delta.constraints.item_is_named"] == "item_id <> ''"


def test_commits_columns_properties_and_files_over_checkpoints_and_removals(
    spark: SparkSession, make_conf: MakeConf
) -> None:
    warehouse, _ = open_warehouse(spark, make_conf(), "test")
    folder = warehouse.locate_table(NOTES)
    for day in range(1, 13):  # Delta writes a checkpoint at version 10
        row = f"SELECT DATE'2026-03-{day:02}' AS run_date, 'a b%{day % 3}' AS item_id, '' AS note"
        warehouse.merge(NOTES, spark.sql(row))
        if day in (2, 9):
            assert_as_spark_says(spark, folder)
    warehouse.replace(NOTES, spark.sql(row), "run_date >= DATE'2026-03-10'")
    spark.sql(f"DELETE FROM delta.`{folder}` WHERE run_date = DATE'2026-03-02'")
    assert list((folder / "_delta_log").glob("*.checkpoint.parquet"))
    assert_as_spark_says(spark, folder)
    commit = warehouse.last_commit(NOTES)
    assert (commit.operation, commit.name) == ("DELETE", "")
    (one,) = warehouse.data_files(NOTES, "2026-03-05")
    assert [tuple(r) for r in spark.read.parquet(str(one)).select("item_id").collect()] == [
        ("a b%2",)
    ]
    assert warehouse.data_files(NOTES, "2026-03-02") == []


def test_a_folder_without_a_commit_is_no_table(tmp_path: Path) -> None:
    assert not is_table(tmp_path / "none")
    (tmp_path / "_delta_log").mkdir()
    (tmp_path / "_delta_log" / ".00000000000000000000.json.1.tmp").touch()
    assert not is_table(tmp_path)
    assert list(newest_commits(tmp_path)) == []


@pytest.mark.parametrize(
    "names",
    [
        ["00000000000000000010.checkpoint.80a083e8.parquet", "00000000000000000011.json"],
        ["00000000000000000010.checkpoint.0000000001.0000000002.parquet"],
        ["00000000000000000000.json", "00000000000000000002.json"],
    ],
)
def test_a_log_of_another_form_is_left_to_spark(tmp_path: Path, names: list[str]) -> None:
    log = tmp_path / "_delta_log"
    log.mkdir()
    for name in names:
        (log / name).touch()
    assert is_table(tmp_path)
    with pytest.raises(UnreadableLogError):
        read_state(tmp_path)


def test_files_that_hold_a_run_date_alone(spark: SparkSession, make_conf: MakeConf) -> None:
    warehouse, _ = open_warehouse(spark, make_conf(), "test")
    name = warehouse.build_identifier(NOTES)

    def list_whole(day: int, earlier: int = 0) -> list[Path]:
        version = warehouse.read_version(NOTES) - earlier
        return warehouse.whole_files(NOTES, version, f"2026-03-{day:02}")

    for day in (1, 2):
        row = f"SELECT DATE'2026-03-{day:02}' AS run_date, explode(array('a', 'b')) AS item_id"
        warehouse.append(NOTES, spark.sql(f"{row}, '' AS note"), "test", day)
    assert list_whole(1) == warehouse.data_files(NOTES, "2026-03-01") != []
    assert list_whole(1, earlier=1) == list_whole(3) == []

    spark.sql(f"ALTER TABLE {name} SET TBLPROPERTIES (delta.enableDeletionVectors = true)")
    spark.sql(f"DELETE FROM {name} WHERE run_date = DATE'2026-03-01' AND item_id = 'a'")
    assert list_whole(1) == [] != warehouse.data_files(NOTES, "2026-03-01")
    assert list_whole(2) == warehouse.data_files(NOTES, "2026-03-02") != []

    spark.sql(f"OPTIMIZE {name}")
    assert list_whole(1) == list_whole(2) == []


def test_files_of_other_column_names_are_not_read_as_they_are() -> None:
    stats = {"minValues": {"run_date": "2026-03-01"}, "maxValues": {"run_date": "2026-03-01"}}
    plain = TableState(1, ("run_date",), {}, {Path("a"): stats})
    assert plain.files_of_only("run_date", "2026-03-01") == [Path("a")]
    renamed = replace(plain, properties={"delta.columnMapping.mode": "name"})
    unknown = replace(plain, files={Path("a"): stats, Path("b"): {}})
    for state in (renamed, unknown):
        assert state.files_of_only("run_date", "2026-03-01") == []
