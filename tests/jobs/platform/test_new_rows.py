"""Rows of keys that a table lacks are appended while the table is the one that was looked at."""

from collections.abc import Callable

import pytest
from pyspark.sql import DataFrame, SparkSession

from conf.load import ResolvedConf
from features.contracts import Table
from features.contracts.table import declare_required
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
