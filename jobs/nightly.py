"""Runs the chain for one run date: the plan first, one line per step, a closing table.

A step whose code, conf, inputs and outputs are unchanged since its last success is skipped and
says so. A run that was killed goes on at the step that it was in: `counterpoise nightly` again.

    counterpoise nightly --conf FILE ... [--from STEP | --only STEP] [--force]
"""

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache

from pyspark.sql import SparkSession
from rich.console import Console
from rich.table import Table as RichTable

from conf.load import ConfError, ResolvedConf
from conf.sections.datasets import TableInput, TablesSource
from jobs.command.arguments import resolve_for_run
from jobs.command.exits import step_failed
from jobs.platform.job import Job
from jobs.platform.report import JobReport
from jobs.platform.runner import claim_run, open_warehouse, run_job, trace_path
from jobs.platform.session import get_session
from jobs.registry import CHAIN, load_job, read_job
from jobs.state.run_state import RunState


@dataclass
class Nightly:
    """One run of the chain, or of a part of it."""

    session: SparkSession | Callable[[], SparkSession]
    conf: ResolvedConf
    steps: list[Job]
    chain: list[Job]
    force: bool = False
    console: Console = field(default_factory=lambda: Console(soft_wrap=True))

    def __post_init__(self) -> None:
        warehouse, _ = open_warehouse(self.session, self.conf, "nightly")
        self.state = RunState(warehouse)

    def print_plan(self) -> None:
        """Print each step and, as far as can be known before it starts, whether it will run."""
        table = RichTable("step", "makes", "plan", title=f"nightly {self.conf.run_date}")
        upstream_runs: set[str] = set()
        for job in self.steps:
            made = [t.name for t in job.writes] + list(job.artifacts_out)
            why = self._planned_reason(job, upstream_runs)
            if why is not None:
                upstream_runs |= set(made)
            table.add_row(job.name, ", ".join(made), why or "skip: unchanged")
        self.console.print(table)

    def run(self) -> list[JobReport]:
        """Run the steps in order.

        Raises:
            StepFailedError: from the step's own error.
        """
        self.state.log.forget()
        return [self._run_step(number, job) for number, job in enumerate(self.steps, 1)]

    def rehearse(self) -> list[JobReport]:
        """Dry-run each step that would run over the inputs as they are now; nothing is written.

        A step whose inputs do not exist yet is passed over; a line names the inputs that it waits
        for.
        """
        reports: list[JobReport] = []
        for job in self.steps:
            waits = self.state.missing_inputs(job)
            if waits:
                self._print_line(f"{job.name}: rows not known before {', '.join(waits)} exist")
            elif self.force or self._why_run(job):
                reports.append(run_job(job, self.state.warehouse.spark, self.conf))
        return reports

    def _planned_reason(self, job: Job, upstream_runs: set[str]) -> str | None:
        if self.force:
            return "run: forced"
        inputs = {t.name for t in job.reads} | set(job.artifacts_in)
        if inputs & upstream_runs:
            return f"run: after {', '.join(sorted(inputs & upstream_runs))}"
        why = self._why_run(job)
        return f"run: {why}" if why else None

    def _why_run(self, job: Job) -> str | None:
        return self.state.why_run(job, self.state.fingerprint_step(job, self.chain), self.chain)

    def _run_step(self, number: int, job: Job) -> JobReport:
        fingerprint = self.state.fingerprint_step(job, self.chain)
        label = f"[{number}/{len(self.steps)}] {job.name}"
        if not self.force and self.state.why_run(job, fingerprint, self.chain) is None:
            self._print_line(f"{label}: skipped, unchanged")
            return self._report_skipped(job)
        self._print_line(f"{label} ...")
        started = time.monotonic()
        try:
            report = run_job(job, self.state.warehouse.spark, self.conf)
            if not self.conf.dry_run:
                self.state.record_success(job, fingerprint, report)
        except Exception as error:
            raise step_failed(job.name, error, trace_path(self.state.warehouse, job)) from error
        self._print_line(f"{label}: {time.monotonic() - started:.1f} s")
        for note in (*report.notes, *report.warnings):
            self._print_line(f"    {note}")
        return report

    def _report_skipped(self, job: Job) -> JobReport:
        last = self.state.last_report(job)
        report = JobReport(job.name, self.conf.run_date.isoformat(), self.conf.hash, skipped=True)
        report.outputs = last.get("outputs", {})
        report.warnings = last.get("warnings", [])
        for count in last.get("counts", []):
            report.count_rows(**count)
        return report

    def _print_line(self, line: str) -> None:
        self.console.print(line, markup=False, highlight=False)


def closing_table(reports: Sequence[JobReport], title: str = "done") -> RichTable:
    """Lay out step, table, rows in, out and quarantined, seconds, and table version."""
    table = RichTable(
        "step", "table", "rows in", "rows out", "quarantined", "version", "seconds", title=title
    )
    for report in reports:
        seconds = "skipped" if report.skipped else f"{report.seconds:.1f}"
        for i, count in enumerate(report.counts):
            lead = (report.job, seconds) if i == 0 else ("", "")
            numbers = (count.rows_in, count.rows_out, count.rows_quarantined)
            version = str(report.outputs.get(count.table, "-"))
            table.add_row(lead[0], count.table, *(f"{n:,}" for n in numbers), version, lead[1])
        if not report.counts:
            table.add_row(report.job, "-", "-", "-", "-", "-", seconds)
    return table


def closing_warnings(reports: Sequence[JobReport]) -> list[str]:
    """List what the steps warn of, also those that were skipped, each led by its step."""
    return [f"{report.job}: {line}" for report in reports for line in report.warnings]


def select_steps(start: str | None, only: str | None) -> list[str]:
    """Select the names of the steps to run.

    Raises:
        ConfError: a name that is not a step.
    """
    for name in filter(None, (start, only)):
        if name not in CHAIN:
            raise ConfError(f"no step {name!r}; the steps are: {', '.join(CHAIN)}")
    if only:
        return [only]
    return list(CHAIN[CHAIN.index(start) :] if start else CHAIN)


def main(arguments: argparse.Namespace) -> int:
    """Plan, run and report.

    Raises:
        UserError: of the conf.
        OwnedError: another run owns the root and run date; known before Spark is started.
        StepFailedError: from the step's own error, whose exit code is the command's.
    """
    conf = resolve_for_run(arguments)
    with claim_run(conf, "nightly"):
        return _run_chain(arguments, conf)


def _asks_spark(conf: ResolvedConf) -> bool:
    """Tell whether Spark is needed to see what changed: tables by name, or inputs out of Python's
    reach.

    Without it a night in which every step is skipped ends before a session would have started.
    """
    tree, source = conf.tree, conf.tree.source
    given: list[TableInput] = list(tree.features.own.values())
    if isinstance(source, TablesSource):
        given += source.list_inputs().values()
    return bool(tree.storage.database) or not all(table.is_local for table in given)


def _start_work(names: Sequence[str], conf: ResolvedConf) -> SparkSession:
    """Load the modules of all steps, so that one that is broken stops the night before its first
    step runs, and open the session.
    """
    for name in names:
        load_job(name)
    return get_session(conf.tree)


def _run_chain(arguments: argparse.Namespace, conf: ResolvedConf) -> int:
    chain = [read_job(name) for name in CHAIN]
    names = select_steps(arguments.first, arguments.only)
    steps = [job for job in chain if job.name in names]
    started = time.monotonic()
    start = cache(lambda: _start_work(names, conf))
    session = start() if _asks_spark(conf) else start
    nightly = Nightly(session, conf, steps, chain, arguments.force)
    nightly.print_plan()
    if conf.dry_run:
        nightly.console.print(closing_table(nightly.rehearse(), "would write"))
        nightly.console.print("dry run: nothing was written", markup=False)
        return 0
    reports = nightly.run()
    nightly.console.print(closing_table(reports))
    for line in closing_warnings(reports):
        nightly.console.print(line, markup=False, highlight=False)
    nightly.console.print(f"whole run: {time.monotonic() - started:.1f} s", highlight=False)
    return 0
