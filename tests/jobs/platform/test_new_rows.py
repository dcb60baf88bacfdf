"""Rows of keys that a table lacks are appended while the table is the one that was looked at."""

from collections.abc import Callable

import pytest
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession

from conf.load import ResolvedConf
from features.contracts import Table
from features.contracts.table import declare_required
from jobs.delta.difference import hold_to
from jobs.platform.runner import open_warehouse
from jobs.platform.warehouse import Warehouse

MakeConf = Callable[..., ResolvedConf]
WORDS = Table(
    name="words",
    grain="one row per word and version",
    columns=declare_required([("word", "string", "word"), ("version", "string", "version")]),
    key=("word", "version"),
)


def words(spark: SparkSession, *rows: tuple[str, str]) -> DataFrame:
    return spark.createDataFrame(list(rows), "word string, version string")


def list_operations(warehouse: Warehouse) -> list[str]:
    commits = list(warehouse.list_commits(WORDS))
    return [commit.operation for commit in reversed(commits)]


def test_new_rows_are_appended(spark: SparkSession, make_conf: MakeConf) -> None:
    warehouse, report = open_warehouse(spark, make_conf(), "test")
    warehouse.merge(WORDS, words(spark, ("a", "1")), update=False)
    for word in "bc":
        seen = warehouse.read_version(WORDS)
        written = warehouse.merge(WORDS, words(spark, (word, "1")), update=False, new_at=seen)
        assert (written.rows, written.version) == (1, seen + 1)
        assert report.outputs == {"words": written.version}
    assert list_operations(warehouse) == ["CREATE TABLE", "WRITE", "WRITE", "WRITE"]
    assert {row["word"] for row in warehouse.read(WORDS).collect()} == set("abc")


def test_rows_that_another_run_added_meanwhile_are_not_added_again(
    spark: SparkSession, make_conf: MakeConf
) -> None:
    warehouse, _ = open_warehouse(spark, make_conf(), "test")
    warehouse.merge(WORDS, words(spark, ("a", "1")), update=False)
    seen = warehouse.read_version(WORDS)
    warehouse.merge(WORDS, words(spark, ("b", "1")), update=False)
    warehouse.merge(WORDS, words(spark, ("b", "1"), ("c", "1")), update=False, new_at=seen)
    assert list_operations(warehouse)[-1] == "MERGE"
    assert sorted(row["word"] for row in warehouse.read(WORDS).collect()) == ["a", "b", "c"]


def test_of_two_that_look_at_one_version_at_once_one_appends(
    spark: SparkSession, make_conf: MakeConf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Threads of a process share the lock: Delta takes one append after a version."""
    warehouse, _ = open_warehouse(spark, make_conf(), "test")
    warehouse.merge(WORDS, words(spark, ("a", "1")), update=False)
    seen = warehouse.read_version(WORDS)
    late, _ = open_warehouse(spark, make_conf(), "late")
    warehouse.merge(WORDS, words(spark, ("b", "1")), update=False, new_at=seen)
    with monkeypatch.context() as patch:
        patch.setattr(late, "read_version", lambda table: seen)  # as it was a moment ago
        assert late._append_new_rows(WORDS, words(spark, ("b", "1")), seen) is None
    late.merge(WORDS, words(spark, ("b", "1")), update=False, new_at=seen)
    assert warehouse.read(WORDS).count() == 2


def test_without_a_lock_nothing_is_appended_to_a_table_that_was_there(
    spark: SparkSession, make_conf: MakeConf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a mount without locks Delta keeps two commits apart only where both read the table."""
    monkeypatch.setattr("jobs.delta.lock._open_locked", lambda path: -1)
    warehouse, _ = open_warehouse(spark, make_conf(), "test")
    warehouse.merge(WORDS, words(spark, ("a", "1")), update=False)
    seen = warehouse.read_version(WORDS)
    warehouse.merge(WORDS, words(spark, ("b", "1")), update=False, new_at=seen)
    warehouse.replace(WORDS, words(spark, ("c", "1")), "word = 'c'")
    assert list_operations(warehouse)[1:3] == ["WRITE", "MERGE"]
    history = spark.sql(f"DESCRIBE HISTORY {warehouse.build_identifier(WORDS)}")
    newest = history.orderBy("version").collect()[-1]
    assert newest["operationParameters"]["mode"] == "Overwrite"


def test_a_row_that_a_join_drops_is_not_held_to_the_condition(spark: SparkSession) -> None:
    rows = words(spark, ("a", "1"), ("b", "2")).join(
        words(spark, ("a", "1")).select("word"), on="word", how="inner"
    )
    assert [row["word"] for row in hold_to("version = '1'", rows).collect()] == ["a"]
    with pytest.raises(PySparkException, match="does not satisfy version = '2'"):
        hold_to("version = '2'", rows).collect()


def test_the_log_lists_the_values_that_files_hold_one_of(
    spark: SparkSession, make_conf: MakeConf
) -> None:
    warehouse, _ = open_warehouse(spark, make_conf(), "test")
    for version in ("1", "2"):
        warehouse.merge(WORDS, words(spark, ("a", version), ("b", version)), update=False)
    assert warehouse.list_values(WORDS, "version") == {"1", "2"}
    assert warehouse.list_values(WORDS, "gone") is None
    both = words(spark, ("c", "1"), ("c", "2")).coalesce(1)
    warehouse.merge(WORDS, both, update=False, new_at=warehouse.read_version(WORDS))
    assert warehouse.list_values(WORDS, "version") is None
    warehouse.replace(WORDS, words(spark, ("a", "x" * 40)), "true")
    assert warehouse.list_values(WORDS, "version") is None  # statistics hold its beginning
