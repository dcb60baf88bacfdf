"""A night starts Spark and loads what computes only where a step asks for it."""

import json
import subprocess
import sys
from collections.abc import Callable

import pytest
from pyspark.sql import SparkSession

import jobs.nightly
from conf.load import SIMULATED, ResolvedConf
from features.contracts import ITEMS
from jobs.command.arguments import parser_of
from jobs.command.exits import StepFailedError
from jobs.platform.report import JobReport
from jobs.platform.runner import open_warehouse
from jobs.registry import CHAIN, read_job
from jobs.state.run_state import RunState
from tests.jobs.small_chain import Chain, nightly

MakeConf = Callable[..., ResolvedConf]


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
