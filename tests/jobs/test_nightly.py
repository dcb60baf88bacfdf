"""Planning, skipping, failing and going on, with two small jobs in place of the chain."""

import datetime as dt
import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from io import StringIO
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession
from rich.console import Console

import jobs.nightly
from conf.load import SIMULATED, ConfError, ResolvedConf
from features.contracts import ITEMS, Table
from features.contracts.table import declare_required
from jobs.command.arguments import parser_of
from jobs.command.exits import StepFailedError
from jobs.delta.written import drop_missing_files
from jobs.nightly import Nightly, closing_table, select_steps
from jobs.platform.job import Job
from jobs.platform.report import JobReport
from jobs.platform.run import Run
from jobs.platform.runner import open_warehouse, run_job, state_path
from jobs.registry import CHAIN, read_job
from jobs.state.run_state import RunState

A = Table("a", "one row per a", declare_required([("a", "long", "a")]), key=("a",))
DATED = Table(
    "dated",
    "one row per run and a",
    declare_required([("run_date", "date", "run"), ("a", "long", "a")]),
    key=("run_date", "a"),
)
B = Table("b", "one row per b", declare_required([("a", "long", "a")]), key=("a",))
MakeConf = Callable[..., ResolvedConf]


@dataclass
class Chain:
    """Makes a, then b from a; counts how often each ran and can be told to fail."""

    ran: list[str] = field(default_factory=list)
    broken: bool = False

    def jobs(self) -> list[Job]:
        first = Job(self._make_a, "makes a", writes=(A,), sections=("feed",), name="first")
        second = Job(self._make_b, "makes b", reads=(A,), writes=(B,), name="second")
        return [first, second]

    def _make_a(self, run: Run) -> None:
        self._write(run, A, run.spark.range(run.conf.tree.feed.batch_size).toDF("a"))

    def _make_b(self, run: Run) -> None:
        if self.broken:
            raise ValueError("no luck")
        self._write(run, B, run.warehouse.read(A))

    def _write(self, run: Run, table: Table, rows: DataFrame) -> None:
        self.ran.append(run.report.job)
        written = run.warehouse.replace(table, rows, "true")
        run.report.count_rows(table.name, rows.count(), written.rows)


def nightly(
    spark: SparkSession | Callable[[], SparkSession],
    conf: ResolvedConf,
    chain: Chain,
    force: bool = False,
) -> Nightly:
    jobs = chain.jobs()
    return Nightly(spark, conf, jobs, jobs, force, Console(quiet=True))


def with_batch(conf: ResolvedConf, size: int) -> ResolvedConf:
    feed = conf.tree.feed.model_copy(update={"batch_size": size})
    return replace(conf, tree=conf.tree.model_copy(update={"feed": feed}))


def test_second_run_skips_and_says_so(spark: SparkSession, make_conf: MakeConf) -> None:
    chain, conf = Chain(), make_conf("feed.batch_size=3")
    nightly(spark, conf, chain).run()
    reports = nightly(spark, conf, chain).run()
    assert chain.ran == ["first", "second"]
    assert [r.skipped for r in reports] == [True, True]
    assert [r.counts[0].rows_out for r in reports] == [3, 3]


def test_a_night_in_which_nothing_changed_starts_no_spark(
    spark: SparkSession, make_conf: MakeConf
) -> None:
    conf, asked = make_conf("feed.batch_size=3"), []

    def started() -> SparkSession:
        asked.append("Spark")
        return spark

    first = nightly(started, conf, Chain())
    first.print_plan()
    assert asked == []
    first.run()
    assert asked
    asked.clear()
    again = nightly(started, conf, Chain())
    again.print_plan()
    assert all(report.skipped for report in again.run())
    assert asked == []


def record_whole_night(conf: ResolvedConf) -> None:
    """Record every step of the chain as done, with a table, a snapshot and a model to look at."""

    def no_session() -> SparkSession:
        raise AssertionError("Spark was asked for")

    warehouse = open_warehouse(no_session, conf, "test")[0]
    log = warehouse.locate_table(ITEMS) / "_delta_log"
    commit = {"commitInfo": {"operation": "WRITE", "userMetadata": '{"job": "ingest"}'}}
    schema = {"metaData": {"schemaString": '{"fields": []}', "configuration": {}}}
    log.mkdir(parents=True)
    (log / f"{0:020}.json").write_text(f"{json.dumps(commit)}\n{json.dumps(schema)}\n")
    for name, folder in (
        ("snapshot", warehouse.snapshot_dir()),
        ("model", warehouse.model_dir()),
    ):
        folder.mkdir(parents=True)
        (folder / "manifest.json").write_text(json.dumps({f"{name}_version": "v1"}))
    chain, state = [read_job(name) for name in CHAIN], RunState(warehouse)
    for job in chain:
        report = JobReport(job.name, conf.run_date.isoformat(), conf.hash)
        report.outputs = {ITEMS.name: 0} if ITEMS in job.writes else {}
        state.record_success(job, state.fingerprint_step(job, chain), report)


def test_a_night_in_which_nothing_changed_loads_nothing_that_computes(
    make_conf: MakeConf,
) -> None:
    """Most of such a night would be spent on loading what no step then asks for."""
    conf = make_conf()
    record_whole_night(conf)
    script = (
        "import sys\n"
        "from jobs.command.cli import run_command\n"
        "assert run_command(sys.argv[1:]) == 0\n"
        "heavy = {'torch', 'pandas', 'scipy', 'sklearn', 'transformers'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    settings = (f"storage.root={conf.tree.storage.root}", "tracking.mlflow=false")
    night = ["nightly", "--conf", str(SIMULATED), *(x for s in settings for x in ("--set", s))]
    done = subprocess.run([sys.executable, "-c", script, *night], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("skipped, unchanged") == len(CHAIN)


@pytest.mark.parametrize(
    ("settings", "asks"),
    [
        ([], False),
        (["source.items.path=s3://shop/items"], True),
        (["source.items.path=null", "source.items.table=shop.items"], True),
        (["features.own.stock.path=abfss://shop/stock"], True),
        (["storage.database=main.ranking"], True),
    ],
)
def test_spark_starts_before_the_plan_only_for_what_python_cannot_see(
    make_conf: MakeConf, settings: list[str], asks: bool
) -> None:
    own = "{path: /data/stock, key: [item_id], as_of: day, features: {stock_days: {}}}"
    tables = [
        *("source.kind=tables", "source.items.path=/data/items"),
        *("source.impressions.path=/data/log", f"features.own.stock={own}"),
    ]
    assert jobs.nightly._asks_spark(make_conf(*tables, *settings)) is asks


def test_a_module_that_is_broken_stops_a_night_before_its_first_step(
    make_conf: MakeConf, monkeypatch: pytest.MonkeyPatch
) -> None:
    conf, loaded = make_conf(), []

    def load(name: str) -> None:
        loaded.append(name)
        if name == "train":
            raise ImportError("no torch")

    monkeypatch.setattr(jobs.nightly, "load_job", load)
    monkeypatch.setattr(jobs.nightly, "run_job", lambda *given: loaded.append("ran"))
    settings = (f"storage.root={conf.tree.storage.root}", "tracking.mlflow=false")
    given = ["--conf", str(SIMULATED), *(x for s in settings for x in ("--set", s))]
    with pytest.raises(StepFailedError, match="no torch"):
        jobs.nightly.main(parser_of("nightly").parse_args(given))
    assert loaded == list(CHAIN[: CHAIN.index("train") + 1])


def test_changed_conf_reruns_the_step_and_what_hangs_on_it(
    spark: SparkSession, make_conf: MakeConf
) -> None:
    chain, conf = Chain(), make_conf("feed.batch_size=3")
    nightly(spark, conf, chain).run()
    reports = nightly(spark, with_batch(conf, 4), chain).run()
    assert chain.ran == ["first", "second"] * 2
    assert reports[1].counts[0].rows_out == 4


def test_other_section_reruns_nothing(spark: SparkSession, make_conf: MakeConf) -> None:
    chain = Chain()
    nightly(spark, make_conf("feed.batch_size=3"), chain).run()
    nightly(
        spark, make_conf("feed.batch_size=3", "trainer.epochs=2", "trainer.min_steps=1"), chain
    ).run()
    assert chain.ran == ["first", "second"]


def test_failed_step_is_named_and_the_next_run_goes_on_there(
    spark: SparkSession, make_conf: MakeConf
) -> None:
    chain, conf = Chain(broken=True), make_conf("feed.batch_size=3")
    with pytest.raises(StepFailedError, match="step second failed: ValueError: no luck"):
        nightly(spark, conf, chain).run()
    trace = open_warehouse(spark, conf, "test")[0].report_dir() / "second.error.txt"
    assert trace.read_text().endswith("ValueError: no luck\n")
    chain.broken = False
    reports = nightly(spark, conf, chain).run()
    assert chain.ran == ["first", "second"]
    assert [r.skipped for r in reports] == [True, False]
    assert not trace.exists()


def test_a_step_is_named_where_its_trace_cannot_be_written(
    spark: SparkSession, make_conf: MakeConf
) -> None:
    chain, conf = Chain(broken=True), make_conf("feed.batch_size=3")
    night = nightly(spark, conf, chain)
    open_warehouse(spark, conf, "test")[0].root.mkdir()
    (night.state.warehouse.root / "reports").write_text("no folder")
    night.steps = night.steps[1:]
    with pytest.raises(StepFailedError, match=r"ValueError: no luck\n.*could not be written, Not"):
        night.run()


def test_a_job_run_alone_is_run_again_by_the_chain(
    spark: SparkSession, make_conf: MakeConf
) -> None:
    chain, conf = Chain(), make_conf("feed.batch_size=3")
    nightly(spark, conf, chain).run()
    run_job(chain.jobs()[0], spark, with_batch(conf, 4))
    reports = nightly(spark, conf, chain).run()
    assert chain.ran == ["first", "second", "first", "first", "second"]
    assert [r.counts[0].rows_out for r in reports] == [3, 3]


def test_a_dry_run_counts_what_can_be_counted(spark: SparkSession, make_conf: MakeConf) -> None:
    chain, conf = Chain(), make_conf("feed.batch_size=3")
    dry = replace(conf, dry_run=True)
    assert [r.job for r in nightly(spark, dry, chain).rehearse()] == ["first"]
    run_job(chain.jobs()[0], spark, conf)
    reports = nightly(spark, dry, chain).rehearse()
    assert [(r.job, r.counts[0].rows_out) for r in reports] == [("first", 3), ("second", 3)]
    warehouse, _ = open_warehouse(spark, conf, "test")
    assert not warehouse.exists(B)


def test_what_a_step_adds_to_a_table_of_an_earlier_one_is_no_input_of_either(
    spark: SparkSession, make_conf: MakeConf
) -> None:
    """Two steps share a table: one replaces its rows, the other adds to them."""
    ran, conf = [], make_conf()

    def step(name: str, number: int) -> Job:
        def work(run: Run) -> None:
            ran.append(name)
            rows = run.spark.range(number, number + 1).toDF("a")
            run.report.count_rows("a", 1, run.warehouse.merge(A, rows, update=False).rows)

        return Job(work, name, reads=(A,), may_lack=(A,), writes=(A,), name=name)

    jobs = [step("first", 1), step("second", 2)]
    chain = Nightly(spark, conf, jobs, jobs, console=Console(quiet=True))
    chain.run()
    assert [report.skipped for report in chain.run()] == [True, True]
    other, _ = open_warehouse(spark, conf, "somebody else")
    other.merge(A, spark.range(7, 8).toDF("a"), update=False)
    assert [report.skipped for report in chain.run()] == [False, False]
    assert ran == ["first", "second"] * 2


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


def test_a_run_of_another_date_makes_nothing_run_again(
    spark: SparkSession, make_conf: MakeConf
) -> None:
    """Neither the step that writes rows by date nor the one that reads them."""
    ran: list[str] = []

    def write(run: Run) -> None:
        ran.append(f"write {run.conf.run_date}")
        rows = run.spark.createDataFrame([(run.conf.run_date, 1)], "run_date date, a long")
        run.report.count_rows("dated", 1, run.warehouse.replace_run(DATED, rows).rows)

    def read(run: Run) -> None:
        ran.append(f"read {run.conf.run_date}")
        assert run.warehouse.read_run(DATED).count() == 1

    jobs = [
        Job(write, "writes", writes=(DATED,), name="write"),
        Job(read, "reads", reads=(DATED,), name="read"),
    ]

    def run_night(date: str) -> None:
        conf = make_conf(f"run_date={date}")
        Nightly(spark, conf, jobs, jobs, console=Console(quiet=True)).run()

    for date in ("2026-03-01", "2026-03-02", "2026-03-01", "2026-03-02"):
        run_night(date)
    assert ran == [f"{job} 2026-03-0{day}" for day in (1, 2) for job in ("write", "read")]


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


def test_the_model_of_an_earlier_date_that_is_scored_with_is_an_input(
    spark: SparkSession, make_conf: MakeConf
) -> None:
    """Trained again, it makes scoring run again; the run date's own model is looked at first."""
    jobs = [Job(lambda run: None, "scores", artifacts_in=("model",), name="score")]
    night = Nightly(spark, make_conf(), jobs, jobs, console=Console(quiet=True))
    models = night.state.warehouse.model_dir().parent

    def fingerprint(date: str, version: str) -> str:
        (models / date).mkdir(parents=True, exist_ok=True)
        (models / date / "manifest.json").write_text(json.dumps({"model_version": version}))
        return night.state.fingerprint_step(jobs[0], jobs)

    today = night.state.warehouse.model_dir().name
    found = [
        night.state.fingerprint_step(jobs[0], jobs),
        fingerprint("2026-02-01", "a"),
        fingerprint("2026-02-01", "b"),
        fingerprint(today, "c"),
    ]
    assert len(set(found)) == 4
    assert fingerprint("2026-02-01", "a") == found[-1]


def test_the_packages_that_compute_are_part_of_the_fingerprint(
    spark: SparkSession, make_conf: MakeConf, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain = Chain()
    night = nightly(spark, make_conf(), chain)
    before = night.state.fingerprint_step(chain.jobs()[0], chain.jobs())
    monkeypatch.setattr("jobs.state.run_state.version", lambda name: f"{name} 99")
    assert night.state.fingerprint_step(chain.jobs()[0], chain.jobs()) != before


def test_force_runs_everything(spark: SparkSession, make_conf: MakeConf) -> None:
    chain, conf = Chain(), make_conf("feed.batch_size=3")
    nightly(spark, conf, chain).run()
    nightly(spark, conf, chain, force=True).run()
    assert chain.ran == ["first", "second"] * 2


def test_closing_table_has_a_line_a_table() -> None:
    report = JobReport("first", "2026-03-01", "abc", seconds=1.5)
    report.count_rows("a", 5, 3, 2)
    report.outputs["a"] = 7
    output = StringIO()
    console = Console(width=120, file=output)
    console.print(closing_table([report]))
    lines = output.getvalue().splitlines()
    line = next(x for x in lines if "first" in x)
    assert [cell.strip() for cell in line.strip("│ ").split("│")] == [
        *("first", "a", "5", "3", "2", "7", "1.5")
    ]


def test_steps_can_be_chosen() -> None:
    assert select_steps(None, "train") == ["train"]
    assert select_steps("score_catalog", None)[0] == "score_catalog"
    with pytest.raises(ConfError, match="no step 'trian'; the steps are: ingest"):
        select_steps("trian", None)
