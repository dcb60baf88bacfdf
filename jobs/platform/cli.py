"""`counterpoise JOB [--conf FILE ...] [--set a.b=c ...] [--run-date DATE] [--dry-run]`."""

import argparse
import logging
import sys
from collections.abc import Sequence
from importlib import import_module

from rich.console import Console
from rich.table import Table as RichTable

from conf.errors import UserError
from conf.load import ResolvedConf, flatten, load_conf, origin_of
from jobs.platform.report import JobReport


def job_parser(name: str, summary: str) -> argparse.ArgumentParser:
    """The arguments that every job takes."""
    parser = argparse.ArgumentParser(prog=f"counterpoise {name}", description=summary)
    add_arguments(parser)
    return parser


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add --conf, --set, --run-date and --dry-run."""
    parser.add_argument("--conf", action="append", default=[], metavar="FILE", help="YAML layer")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="settings")
    parser.add_argument("--run-date", metavar="YYYY-MM-DD", help="day that is served (UTC)")
    parser.add_argument("--dry-run", action="store_true", help="plan and row counts, no writes")


def resolve(arguments: argparse.Namespace) -> ResolvedConf:
    """The resolved conf of parsed arguments."""
    return load_conf(
        arguments.conf, arguments.settings, arguments.run_date, dry_run=arguments.dry_run
    )


def job_main(name: str, argv: Sequence[str] | None = None) -> int:
    """Run one job from the command line; the exit code is 0, or 2 for an error of the user's."""
    from jobs.platform.runner import run_job
    from jobs.platform.session import get_session
    from jobs.registry import load_job

    job = load_job(name)
    arguments = job_parser(name, job.summary).parse_args(argv)
    conf = resolve(arguments)
    print_report(run_job(job, get_session(conf.tree), conf))
    return 0


def print_report(report: JobReport) -> None:
    """Print what a job did: a line a table, then its notes."""
    console = Console()
    table = RichTable("table", "rows in", "rows out", "quarantined", "version", title=report.job)
    for c in report.counts:
        version = str(report.outputs.get(c.table, "-"))
        table.add_row(
            c.table, f"{c.rows_in:,}", f"{c.rows_out:,}", f"{c.rows_quarantined:,}", version
        )
    console.print(table)
    for note in (*report.notes, *report.warnings):
        console.print(note, markup=False, highlight=False, soft_wrap=True)


def show_conf(argv: Sequence[str]) -> int:
    """Print every key of the resolved tree with its value and origin."""
    parser = argparse.ArgumentParser(prog="counterpoise show-conf")
    add_arguments(parser)
    conf = resolve(parser.parse_args(argv))
    table = RichTable("key", "value", "from", title=f"conf {conf.hash}")
    for key, value in flatten(conf.tree).items():
        table.add_row(key, str(value), origin_of(key, conf.origins))
    Console().print(table, markup=False)
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of the console command."""
    from jobs.registry import CHAIN, EXTRA

    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    names = ["nightly", "experiment", "show-conf", *CHAIN, *EXTRA]
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments or arguments[0] in ("-h", "--help"):
        print("usage: counterpoise JOB [options]\n\njobs: " + ", ".join(names))
        return 0
    name, rest = arguments[0], arguments[1:]
    if name not in names:
        print(f"counterpoise: no job {name!r}; there are: {', '.join(names)}", file=sys.stderr)
        return 2
    try:
        if name == "show-conf":
            return show_conf(rest)
        if name in ("nightly", "experiment"):
            return int(import_module(f"jobs.{name}").main(rest))
        return job_main(name, rest)
    except UserError as error:
        print(f"counterpoise {name}: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
