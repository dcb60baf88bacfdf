"""Runs one job: opens the report, times it, saves conf and report beside the outputs."""

import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

from pyspark.sql import SparkSession

from conf.load import ResolvedConf
from conf.text import conf_text
from jobs.delta.written import drop_missing_files
from jobs.platform.job import Job
from jobs.platform.owner import claim_root
from jobs.platform.plans import released_after
from jobs.platform.report import JobReport
from jobs.platform.run import Run
from jobs.platform.warehouse import Warehouse
from model.files import write_json, write_text

_OWNER_AND_GROUP = 0o640
"""Of a kept conf, which names hosts, paths and accounts."""


def open_warehouse(
    spark: SparkSession | Callable[[], SparkSession], conf: ResolvedConf, job: str
) -> tuple[Warehouse, JobReport]:
    """Open the conf's tables and a fresh report that they fill, for what is no
    job of the registry.
    """
    run = Run.open(spark, conf, job)
    return run.warehouse, run.report


def claim_run(conf: ResolvedConf, command: str, alone: bool = True) -> AbstractContextManager[None]:
    """Claim the root and run date of the conf for this process, for the block.

    A dry run, and a job that need not be alone, do without.

    Raises:
        OwnedError: on entry, another run owns them.
    """
    if conf.dry_run or not alone:
        return nullcontext()
    return claim_root(Path(conf.tree.storage.root).absolute(), conf.run_date, command)


def run_job(job: Job, spark: SparkSession, conf: ResolvedConf) -> JobReport:
    """Run `job`, time it, and save its report (not in a dry run).

    The resolved conf is saved first, under its hash: that hash stands in the user metadata of
    every commit, in the snapshot's and the model's manifest, and leads back to the whole tree.
    The step's record of an earlier success goes before the work starts: a run that is killed half
    way must not be taken for that one.

    Raises:
        OwnedError: another run owns the root and run date.
    """
    with claim_run(conf, job.name, job.alone):
        return _run_alone(job, spark, conf)


def _run_alone(job: Job, spark: SparkSession, conf: ResolvedConf) -> JobReport:
    warehouse, _ = open_warehouse(spark, conf, job.name)
    if not conf.dry_run:
        conf_path = warehouse.root / "conf" / f"{conf.hash}.yaml"
        write_text(conf_path, conf_text(conf), _OWNER_AND_GROUP)
        state_path(warehouse, job).unlink(missing_ok=True)
    mended = [] if conf.dry_run else drop_missing_files(warehouse, job.writes)
    started = time.monotonic()
    with _describe_jobs(spark, job.name), released_after():
        report = job.run(spark, conf)
    report.warnings = [*mended, *report.warnings]
    report.seconds = round(time.monotonic() - started, 2)
    if not conf.dry_run:
        path = warehouse.report_dir() / f"{job.name}.json"
        write_json(path, report.to_json(), default=str)
        trace_path(warehouse, job).unlink(missing_ok=True)
    return report


def state_path(warehouse: Warehouse, job: Job) -> Path:
    """Return the file of the record of the job's last success for the run date."""
    folder = warehouse.root / "state" / warehouse.conf.run_date.isoformat()
    return folder / f"{job.name}.json"


def trace_path(warehouse: Warehouse, job: Job) -> Path:
    """Return the file of the trace of the job's last failure for the run date; it goes with a
    success.
    """
    return warehouse.report_dir() / f"{job.name}.error.txt"


def keep_trace(error: BaseException, path: Path) -> str:
    """Write the whole trace of an error to a file, and return a line that says where it is.

    Where the file cannot be written (a full disk, a read-only root), the trace goes to stderr.
    """
    trace = "".join(traceback.format_exception(error))
    try:
        write_text(path, trace)
    except OSError as refused:
        print(trace, file=sys.stderr)
        return f"(the trace is above: {path} could not be written, {refused.strerror or refused})"
    return f"(the whole trace: {path})"


@contextmanager
def _describe_jobs(spark: SparkSession, name: str) -> Iterator[None]:
    spark.conf.set("spark.job.description", name)
    try:
        yield
    finally:
        spark.conf.unset("spark.job.description")
