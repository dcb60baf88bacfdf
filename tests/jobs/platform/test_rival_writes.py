"""Of writers that meet at a table, each waits or commits again, and nothing is lost."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

import pytest
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from conf.load import ResolvedConf
from jobs.delta.commits import RivalRunError, retry_commit
from jobs.delta.history import Commit, commit_named
from jobs.platform.runner import open_warehouse
from tests.jobs.platform.small_tables import DAILY, PRICES, prices

MakeConf = Callable[..., ResolvedConf]


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
