"""`counterpoise JOB [--conf FILE ...] [--set a.b=c ...] [--run-date DATE] [--dry-run]`.

What is imported here is light: `--help` and wrong usage are answered without Spark or torch.
"""

import difflib
import logging
import sys
from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING

from conf.errors import UserError
from jobs.command.arguments import parser_of, resolve_for_run
from jobs.command.exits import run_guarded, step_failed
from jobs.command.version import code_version
from jobs.registry import CHAIN, EXTRA, load_job

if TYPE_CHECKING:
    from jobs.platform.report import JobReport

_USAGE = 2
"""Exit code of wrong usage, as argparse has it."""
_MODULES = {
    "nightly": "jobs.nightly",
    "experiment": "jobs.experiment",
    "show-conf": "jobs.command.show_conf",
}
"""Commands that are no single job, and where their `main` is."""


def main(argv: Sequence[str] | None = None) -> None:
    """Run a command line: entry point of the console command and of wheel tasks, which drop a
    returned value.

    Raises:
        SystemExit: with the exit code, for every code but 0.
    """
    code = run_command(sys.argv[1:] if argv is None else argv)
    if code:
        raise SystemExit(code)


def _is_no_interrupt(record: logging.LogRecord) -> bool:
    """Return whether a record is anything but an interrupt, which py4j logs with
    its whole trace.
    """
    return not (record.exc_info and record.exc_info[0] is KeyboardInterrupt)


def run_command(argv: Sequence[str]) -> int:
    """Run a command line to its exit code (conf/errors.py says which there are)."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    for handler in logging.getLogger().handlers:
        handler.addFilter(_is_no_interrupt)
    if not argv or argv[0] in ("-h", "--help"):
        print(_format_usage())
        return 0
    name, *rest = argv
    if name == "--version":
        print(f"counterpoise {code_version()}")
        return 0
    if name not in _list_names():
        near = difflib.get_close_matches(name, _list_names(), n=1, cutoff=0.0)[0]
        print(
            f"counterpoise: no job {name!r}; did you mean {near}? `counterpoise --help` lists them",
            file=sys.stderr,
        )
        return _USAGE
    run = _run_special if name in _MODULES else _run_job
    return run_guarded(name, lambda: run(name, rest))


def _run_special(name: str, argv: Sequence[str]) -> int:
    arguments = parser_of(name).parse_args(argv)  # before Spark is imported
    return int(import_module(_MODULES[name]).main(arguments))


def _run_job(name: str, argv: Sequence[str]) -> int:
    arguments = parser_of(name).parse_args(argv)
    from jobs.platform.runner import claim_run, open_warehouse, run_job, trace_path
    from jobs.platform.session import get_session

    conf = resolve_for_run(arguments)
    job = load_job(name)
    if job.bind:
        job = replace(job, work=job.bind(arguments))
    with claim_run(conf, name, job.alone):  # before Spark takes its time
        spark = get_session(conf.tree)
        try:
            report = run_job(job, spark, conf)
        except UserError:
            raise
        except Exception as error:
            trace = trace_path(open_warehouse(spark, conf, name)[0], job)
            raise step_failed(name, error, trace) from error
    print_report(report)
    return 0


def print_report(report: "JobReport") -> None:
    """Print what a job did: one line per table, then its notes."""
    from rich.console import Console
    from rich.table import Table

    console = Console()
    table = Table("table", "rows in", "rows out", "quarantined", "version", title=report.job)
    for c in report.counts:
        version = str(report.outputs.get(c.table, "-"))
        table.add_row(
            c.table, f"{c.rows_in:,}", f"{c.rows_out:,}", f"{c.rows_quarantined:,}", version
        )
    console.print(table)
    for note in (*report.notes, *report.warnings):
        console.print(note, markup=False, highlight=False, soft_wrap=True)


def _list_names() -> list[str]:
    return [*_MODULES, *CHAIN, *EXTRA]


def _format_usage() -> str:
    width = max(map(len, _list_names()))
    jobs = [f"  {name:{width}}  {parser_of(name).description}" for name in _list_names()]
    return "\n".join(["usage: counterpoise [--version] JOB [options]", "", "jobs:", *jobs])


if __name__ == "__main__":
    main()
