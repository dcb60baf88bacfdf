"""Writes are idempotent, constrained, and say which version they made."""

import datetime as dt
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from chispa import assert_df_equality
from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from conf.load import ResolvedConf
from features.contracts import ALL_TABLES, SCORES, Constraint, Table
from features.contracts.table import ContractError, declare_optional, declare_required
from jobs.delta.commits import RivalRunError, retry_commit
from jobs.delta.difference import CHANGE, find_changes
from jobs.delta.history import Commit, commit_named
from jobs.platform.runner import open_warehouse
from jobs.platform.warehouse import MissingTableError

RUN = dt.date(2026, 3, 1)
PRICES = Table(
    name="prices",
    grain="one row per item",
    columns=declare_required([("item_id", "string", "item's id"), ("price", "double", "price")]),
    key=("item_id",),
    checks=(Constraint("price_positive", "price > 0"),),
    cluster_by=("item_id",),
)
DAILY = Table(
    name="daily",
    grain="one row per run and item",
    columns=declare_required([("run_date", "date", "run"), ("item_id", "string", "item")]),
    key=("run_date", "item_id"),
)
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


def test_a_replacement_by_equal_rows_commits_nothing_where_asked(
    spark: SparkSession, make_conf: MakeConf
) -> None:
    warehouse, _ = open_warehouse(spark, make_conf(), "test")
    rows, other = prices(spark, ("a", 1.0), ("b", 2.0)), prices(spark, ("b", 2.0), ("a", 1.5))
    first = warehouse.replace(PRICES, rows, "true", unless_equal=True)
    assert warehouse.replace(PRICES, rows.orderBy("price"), "true", unless_equal=True) == first
    second = warehouse.replace(PRICES, other, "true", unless_equal=True)
    assert (second.rows, second.version) == (2, first.version + 1)


def test_no_rows_in_place_of_none_leave_the_table_as_it_stands(
    spark: SparkSession, make_conf: MakeConf
) -> None:
    warehouse, report = open_warehouse(spark, make_conf(), "test")
    written = warehouse.replace(PRICES, prices(spark, ("a", 1.0)).where("false"), "price > 5")
    assert (written.rows, written.version) == (0, warehouse.read_version(PRICES))
    assert report.outputs[PRICES.name] == written.version


def test_a_commit_of_another_in_between_is_not_taken_for_ours(
    spark: SparkSession, make_conf: MakeConf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody else adds a row between our commit and the look at it, each time."""
    warehouse, report = open_warehouse(spark, make_conf(), "test")
    merged = warehouse.merge(PRICES, prices(spark, ("a", 1.0)))
    seen: list[int] = []

    def late(commits: Iterable[Commit], name: str) -> Commit | None:
        spark.sql(f"INSERT INTO {warehouse.build_identifier(PRICES)} VALUES ('x{len(seen)}', 7.0)")
        seen.append(warehouse.read_version(PRICES))
        return commit_named(commits, name)

    monkeypatch.setattr("jobs.delta.history.commit_named", late)
    replaced = warehouse.replace(PRICES, prices(spark, ("b", 2.0), ("c", 3.0)), "price < 5")
    assert (replaced.rows, replaced.version) == (2, merged.version + 1)
    again = warehouse.merge(PRICES, prices(spark, ("b", 5.0)))
    assert (again.rows, again.version) == (1, merged.version + 3)
    added = warehouse.append(PRICES, prices(spark, ("d", 1.0)), "writer", 0)
    assert (added.rows, added.version) == (1, merged.version + 5)
    assert seen == [merged.version + step for step in (2, 4, 6)]
    assert report.outputs == {"prices": added.version}
    with pytest.raises(RivalRunError, match="table prices: another run wrote the same part"):
        warehouse.append(PRICES, prices(spark, ("e", 1.0)), "writer", 0)


def test_a_commit_that_another_one_overtook_is_made_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("jobs.delta.commits._WAITS", (0.0,))
    left = ["ConcurrentAppendException: [DELTA_CONCURRENT_APPEND] Files were added"]
    tries = []

    def overtaken() -> str:
        tries.append(1)
        if left:
            raise PySparkException(left.pop())
        return "done"

    assert retry_commit(overtaken) == "done"
    left.append("no such column")
    with pytest.raises(PySparkException, match="no such column"):
        retry_commit(overtaken)
    assert len(tries) == 3


def test_runs_of_two_dates_share_the_tables(spark: SparkSession, make_conf: MakeConf) -> None:
    """Each merges items and replaces the rows of its date, both at once: nothing is lost."""
    open_warehouse(spark, make_conf(), "test")[0].create(PRICES)
    open_warehouse(spark, make_conf(), "test")[0].create(DAILY)

    def run(number: int) -> None:
        session, conf = spark.newSession(), make_conf(f"run_date=2026-03-0{number}")
        warehouse, _ = open_warehouse(session, conf, "test")
        for price in (1.0, 2.0):
            warehouse.merge(PRICES, prices(session, ("both", price), (f"i{number}", price)))
            rows = prices(session, ("a", 1.0)).withColumn("run_date", F.lit(conf.run_date))
            assert warehouse.replace_run(DAILY, rows).rows == 1

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(run, (1, 2)))
    warehouse, _ = open_warehouse(spark, make_conf(), "test")
    found = {"both": 2.0, "i1": 2.0, "i2": 2.0}
    assert dict(map(tuple, warehouse.read(PRICES).collect())) == found
    assert warehouse.read(DAILY).count() == 2


def test_a_write_waits_for_another_process_that_writes_the_table(
    spark: SparkSession, make_conf: MakeConf, caplog: pytest.LogCaptureFixture
) -> None:
    warehouse, _ = open_warehouse(spark, make_conf(), "test")
    script = (
        "import sys; from pathlib import Path; from jobs.delta.lock import hold_commit_lock\n"
        "with hold_commit_lock(Path(sys.argv[1]), sys.argv[2]):\n"
        "    print('held', flush=True); sys.stdin.readline(); Path(sys.argv[1], 'end').touch()\n"
    )
    command = [sys.executable, "-c", script, str(warehouse.root), PRICES.name]
    for price in (1.0, 2.0):  # the table's first commit, and a further one
        caplog.clear()
        with (
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other,
            ThreadPoolExecutor(1) as pool,
        ):
            assert other.stdin is not None and other.stdout is not None
            assert other.stdout.readline() == b"held\n"
            writing = pool.submit(warehouse.merge, PRICES, prices(spark, ("a", price)))
            while not writing.done() and "waits for another process" not in caplog.text:
                time.sleep(0.05)
            assert not writing.done()
            other.stdin.write(b"go\n")
            other.stdin.flush()
            writing.result()
        (warehouse.root / "end").unlink()
    assert warehouse.read(PRICES).collect()[0]["price"] == 2.0


def test_replace_touches_only_its_run_date(spark: SparkSession, make_conf: MakeConf) -> None:
    warehouse, _ = open_warehouse(spark, make_conf(), "test")
    other = spark.createDataFrame([(dt.date(2026, 2, 1), "x")], "run_date date, item_id string")
    mine = spark.createDataFrame([(RUN, "a"), (RUN, "b")], other.schema)
    warehouse.replace(DAILY, other, "run_date = DATE'2026-02-01'")

    versions = [warehouse.replace_run(DAILY, mine).version for _ in range(2)]

    assert versions[1] == versions[0] + 1
    assert warehouse.read(DAILY).count() == 3
    assert warehouse.read_run(DAILY).count() == 2


def test_rows_in_place_of_none_are_appended(spark: SparkSession, make_conf: MakeConf) -> None:
    """A replacement computes the table's state: only where there may be rows to replace."""
    warehouse, _ = open_warehouse(spark, make_conf(), "test")
    schema = "run_date date, item_id string"
    first, mine = (
        spark.createDataFrame([(day, "a")], schema) for day in (dt.date(2026, 2, 1), RUN)
    )
    warehouse.replace(DAILY, first, "run_date = DATE'2026-02-01'")
    for rows in (mine, mine.union(mine.withColumn("item_id", F.lit("b"))), mine):
        warehouse.replace_run(DAILY, rows)
    log = spark.sql(f"DESCRIBE HISTORY {warehouse.build_identifier(DAILY)}").orderBy("version")
    modes = [row["operationParameters"].get("mode") for row in log.collect()]
    assert modes == [None, "Append", "Append", "Overwrite", "Overwrite"]
    assert warehouse.read_run(DAILY).collect() == mine.collect()
    assert warehouse.read(DAILY).count() == 2


@pytest.mark.parametrize("stored", [False, True])
def test_a_row_outside_of_what_is_replaced_is_refused(
    spark: SparkSession, make_conf: MakeConf, stored: bool
) -> None:
    warehouse, _ = open_warehouse(spark, make_conf(), "test")
    rows = spark.createDataFrame([(RUN, "a")], "run_date date, item_id string")
    if stored:
        warehouse.replace_run(DAILY, rows)
    other = rows.withColumn("run_date", F.date_add("run_date", 1))
    with pytest.raises((PySparkException, Py4JJavaError), match=r"does not satisfy|REPLACE_WHERE"):
        warehouse.replace_run(DAILY, rows.union(other))
    assert warehouse.read(DAILY).count() == int(stored)


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
    with pytest.raises((PySparkException, Py4JJavaError), match="price_positive"):
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
    warehouse.merge(PRICES, prices(spark, ("a", 2.0)))
    history = spark.sql(f"DESCRIBE HISTORY {warehouse.build_identifier(PRICES)}")
    for operation in ("WRITE", "MERGE"):
        metadata = json.loads(history.where(f"operation = '{operation}'").first()["userMetadata"])
        assert metadata["job"] == "some_job"
        assert metadata["conf_hash"] == conf.hash
    assert spark.conf.get("spark.databricks.delta.commitInfo.userMetadata", None) is None


def test_of_two_runs_that_fill_a_new_table_at_once_the_second_one_merges(
    spark: SparkSession, make_conf: MakeConf, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, _ = open_warehouse(spark, make_conf(), "ours")
    rival, _ = open_warehouse(spark, make_conf(), "rival")
    rival.merge(PRICES, prices(spark, ("a", 1.0), ("b", 1.0)))
    monkeypatch.setattr(ours, "create", lambda table: True)  # it saw no table a moment ago
    written = ours.merge(PRICES, prices(spark, ("a", 1.0), ("b", 2.0)))
    assert written.rows == 2
    found = {row["item_id"]: row["price"] for row in ours.read(PRICES).collect()}
    assert found == {"a": 1.0, "b": 2.0}


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


def test_a_table_whose_first_commit_a_kill_prevented_is_made(
    spark: SparkSession, make_conf: MakeConf
) -> None:
    warehouse, _ = open_warehouse(spark, make_conf(), "test")
    log = warehouse.root / "tables" / PRICES.name / "_delta_log"
    (log / "_staged_commits").mkdir(parents=True)
    (log / ".00000000000000000000.json.tmp").touch()
    assert warehouse.merge(PRICES, prices(spark, ("a", 1.0))).rows == 1
    assert warehouse.read(PRICES).count() == 1


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
