"""What was lost, damaged or written over since is made again, and nothing beside it."""

import datetime as dt
import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession
from rich.console import Console

from conf.load import ResolvedConf
from features.contracts import Table
from features.contracts.table import declare_required
from jobs.delta.written import drop_missing_files
from jobs.nightly import Nightly
from jobs.platform.job import Job
from jobs.platform.run import Run
from jobs.platform.runner import open_warehouse, state_path
from tests.jobs.small_chain import A, B, Chain, nightly

DATED = Table(
    "dated",
    "one row per run and a",
    declare_required([("run_date", "date", "run"), ("a", "long", "a")]),
    key=("run_date", "a"),
)
MakeConf = Callable[..., ResolvedConf]


def ran_again(spark: SparkSession, conf: ResolvedConf, chain: Chain) -> list[str]:
    """Names of the steps that a night runs."""
    before = len(chain.ran)
    nightly(spark, conf, chain).run()
    return chain.ran[before:]


@pytest.mark.parametrize("content", ["", "{}", '{"fingerprint": "abc', "null", "[1]"])
def test_a_damaged_record_is_named_and_its_step_runs_again(
    spark: SparkSession, make_conf: MakeConf, content: str
) -> None:
    chain, conf = Chain(), make_conf("feed.batch_size=3")
    night = nightly(spark, conf, chain)
    path = state_path(night.state.warehouse, chain.jobs()[1])
    path.parent.mkdir(parents=True)
    path.write_text(content)
    why = night.state.why_run(chain.jobs()[1], "any", chain.jobs())
    assert why is not None and f"{path} is damaged" in why


class Sparing(Chain):
    """Its second step writes nothing where b has the rows already."""

    def _write(self, run: Run, table: Table, rows: DataFrame) -> None:
        if table is B and run.warehouse.exists(B):
            self.ran.append(run.report.job)
        else:
            super()._write(run, table, rows)


def test_a_lost_table_is_made_again_though_its_step_had_nothing_to_add_last_time(
    spark: SparkSession, make_conf: MakeConf
) -> None:
    chain, conf = Sparing(), make_conf("feed.batch_size=3")
    nightly(spark, conf, chain).run()
    nightly(spark, conf, chain, force=True).run()
    assert ran_again(spark, conf, chain) == []
    shutil.rmtree(Path(conf.tree.storage.root) / "tables" / "b")
    spark._jvm.org.apache.spark.sql.delta.DeltaLog.clearCache()  # as in the process of a next night
    night = nightly(spark, conf, chain)
    assert night.state.why_run(*_fingerprint(night, 1)) == "table b is gone"
    assert ran_again(spark, conf, chain) == ["second"]
    assert open_warehouse(spark, conf, "test")[0].read(B).count() == 3


def _fingerprint(night: Nightly, number: int) -> tuple[Job, str, list[Job]]:
    job = night.chain[number]
    return job, night.state.fingerprint_step(job, night.chain), night.chain


def test_what_was_lost_is_made_again(spark: SparkSession, make_conf: MakeConf) -> None:
    """The last commit of one output, all files of the other; the night after is quiet again."""
    chain, conf = Chain(), make_conf("feed.batch_size=3")
    nightly(spark, conf, chain).run()
    tables = Path(conf.tree.storage.root) / "tables"
    max((tables / "b" / "_delta_log").glob("*.json")).unlink()
    for checksum in (tables / "b" / "_delta_log").glob("*.crc"):
        checksum.unlink()
    spark._jvm.org.apache.spark.sql.delta.DeltaLog.clearCache()  # as in the process of a next night
    assert ran_again(spark, conf, chain) == ["second"]
    for path in (tables / "a").glob("*.parquet"):
        path.unlink()
    assert ran_again(spark, conf, chain) == ["first", "second"]
    assert ran_again(spark, conf, chain) == []
    warehouse, _ = open_warehouse(spark, conf, "test")
    assert [warehouse.read(table).count() for table in (A, B)] == [3, 3]


def test_rows_of_a_shared_table_that_somebody_deleted_are_made_again(
    spark: SparkSession, make_conf: MakeConf
) -> None:
    """By hand, or by a job that found files gone; what a job of ours adds is no loss."""
    chain, conf = Chain(), make_conf("feed.batch_size=3")
    nightly(spark, conf, chain).run()
    warehouse, _ = open_warehouse(spark, conf, "import_judgments")
    warehouse.merge(B, spark.range(9, 10).toDF("a"), update=False)
    assert ran_again(spark, conf, chain) == []
    spark.sql(f"DELETE FROM {warehouse.build_identifier(A)} WHERE a = 1")
    assert ran_again(spark, conf, chain) == ["first", "second"]
    for path in warehouse.locate_table(B).glob("*.parquet"):
        path.unlink()
    drop_missing_files(warehouse, [B])
    assert ran_again(spark, conf, chain) == ["second"]
    assert ran_again(spark, conf, chain) == []
    assert [warehouse.read(table).count() for table in (A, B)] == [3, 3]


@pytest.mark.parametrize("table", [DATED, replace(DATED, name="lines", key=())])
def test_a_run_of_another_date_makes_nothing_run_again(
    spark: SparkSession, make_conf: MakeConf, table: Table
) -> None:
    """Neither the step that writes rows by date nor the one that reads them."""
    ran: list[str] = []

    def write(run: Run) -> None:
        ran.append(f"write {run.conf.run_date}")
        rows = run.spark.createDataFrame([(run.conf.run_date, 1)], "run_date date, a long")
        run.report.count_rows(table.name, 1, run.warehouse.replace_run(table, rows).rows)

    def read(run: Run) -> None:
        ran.append(f"read {run.conf.run_date}")
        assert run.warehouse.read_run(table).count() == 1

    jobs = [
        Job(write, "writes", writes=(table,), name="write"),
        Job(read, "reads", reads=(table,), name="read"),
    ]
    if not table.key:  # whoever reads a table that all dates share sees each write
        jobs = jobs[:1]

    def run_night(date: str) -> None:
        conf = make_conf(f"run_date={date}")
        Nightly(spark, conf, jobs, jobs, console=Console(quiet=True)).run()

    for date in ("2026-03-01", "2026-03-02", "2026-03-01", "2026-03-02"):
        run_night(date)
    assert ran == [f"{job.name} 2026-03-0{day}" for day in (1, 2) for job in jobs]


def test_rows_that_another_run_date_replaced_are_made_again(
    spark: SparkSession, make_conf: MakeConf
) -> None:
    """A source that draws its rows for each run date; one whose rows are added keeps them."""
    ran: list[int] = []

    def work(run: Run) -> None:
        ran.append(run.conf.run_date.day)
        rows = run.spark.range(run.conf.run_date.day + run.conf.tree.feed.batch_size, 20).toDF("a")
        written = run.warehouse.replace(A, rows, "true", unless_equal=True)
        run.report.count_rows("a", written.rows, written.rows)
        added = run.warehouse.merge(B, rows)
        run.report.count_rows("b", added.rows, added.rows)

    jobs = [Job(work, "draws", writes=(A, B), sections=("feed",), name="draw")]

    def run_night(day: int, size: int) -> int:
        conf = make_conf(f"run_date=2026-03-0{day}", f"feed.batch_size={size}")
        Nightly(spark, conf, jobs, jobs, console=Console(quiet=True)).run()
        return open_warehouse(spark, conf, "test")[0].read(A).count()

    assert [run_night(day, 1) for day in (2, 1, 2, 2)] == [17, 18, 17, 17]
    # The fourth finds equal rows and leaves those of the third, which then draws others.
    assert [run_night(*night) for night in ((3, 2), (4, 1), (3, 3), (4, 1))] == [15, 15, 14, 15]
    assert ran == [2, 1, 2, 3, 4, 3, 4]


def test_rows_that_another_job_wrote_over_are_made_again(
    spark: SparkSession, make_conf: MakeConf
) -> None:
    """A trial overwrote the run's rows; OPTIMIZE and other rows of the table are no matter."""
    conf, ran = make_conf("run_date=2026-03-01"), []

    def work(run: Run) -> None:
        ran.append("dated")
        where = f"{day_of(run.conf)} AND a < 5"
        written = run.warehouse.replace(DATED, day(run.conf.run_date), where)
        run.report.count_rows("dated", 1, written.rows)

    def day_of(given: ResolvedConf) -> str:
        return f"run_date = DATE'{given.run_date}'"

    def day(date: dt.date) -> DataFrame:
        return spark.createDataFrame([(date, 1)], "run_date date, a long")

    jobs = [Job(work, "dated", writes=(DATED,), name="dated")]
    other_day = replace(conf, tree=conf.tree.model_copy(update={"run_date": dt.date(2026, 3, 9)}))
    Nightly(spark, conf, jobs, jobs, console=Console(quiet=True)).run()
    open_warehouse(spark, other_day, "else")[0].replace_run(DATED, day(other_day.run_date))
    warehouse, _ = open_warehouse(spark, conf, "reweight")
    spark.sql(f"OPTIMIZE {warehouse.build_identifier(DATED)}")
    Nightly(spark, conf, jobs, jobs, console=Console(quiet=True)).run()
    rows = spark.createDataFrame([(conf.run_date, 6)], "run_date date, a long")
    warehouse.replace(DATED, rows, f"{day_of(conf)} AND a > 5")
    Nightly(spark, conf, jobs, jobs, console=Console(quiet=True)).run()
    assert len(ran) == 1
    warehouse.replace_run(DATED, day(conf.run_date))
    night = Nightly(spark, conf, jobs, jobs, console=Console(quiet=True))
    why = night.state.why_run(jobs[0], night.state.fingerprint_step(jobs[0], jobs), jobs)
    assert why is not None and why.startswith("reweight wrote to table dated since (version ")
    night.run()
    spark.sql(f"DELETE FROM {warehouse.build_identifier(DATED)}")
    night.run()
    assert len(ran) == 3
    assert [report.skipped for report in night.run()] == [True]


def test_a_flipped_byte_of_a_snapshot_is_made_again(
    spark: SparkSession, make_conf: MakeConf
) -> None:
    conf, ran = make_conf(), []

    def work(run: Run) -> None:
        ran.append("snapshot")
        folder = run.warehouse.snapshot_dir()
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "part").write_bytes(b"values")
        files = [{"path": "part", "sha256": hashlib.sha256(b"values").hexdigest()}]
        manifest = {"snapshot_version": "v1", "splits": {"train": {"files": files}}}
        (folder / "manifest.json").write_text(json.dumps(manifest))

    jobs = [Job(work, "snapshot", artifacts_out=("snapshot",), name="snapshot")]
    night = Nightly(spark, conf, jobs, jobs, console=Console(quiet=True))
    folder = night.state.warehouse.snapshot_dir()
    night.run()
    for damage in ((lambda: None), (lambda: (folder / "part").write_bytes(b"valueS"))):
        damage()
        night.run()
    assert len(ran) == 2
    (folder / "manifest.json").write_text('{"snapshot_ver')
    night.run()
    assert len(ran) == 3
    assert [report.skipped for report in night.run()] == [True]
