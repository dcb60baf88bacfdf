"""The arguments of every command. Nothing here imports Spark, torch or the conf tree: `--help` and
a wrong argument are answered at once."""

import argparse
import ast
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from jobs.registry import parse_declaration

if TYPE_CHECKING:
    from conf.load import ResolvedConf

FORMATS = ("table", "yaml", "json")
RAW_TABLES = ("items", "queries", "impressions", "judgments", "own_values")
_READ_THE_SOURCE = ("ingest", "import_features", "nightly")


def parser_of(name: str) -> argparse.ArgumentParser:
    """Return the parser of a command: `nightly`, `experiment`, `show-conf`, or a job."""
    special = {
        "nightly": nightly_parser,
        "experiment": experiment_parser,
        "show-conf": show_conf_parser,
    }
    if name in special:
        return special[name]()
    parser = job_parser(name, summary_of(name))
    if name in OWN:
        OWN[name](parser)
    return parser


def job_parser(name: str, summary: str) -> argparse.ArgumentParser:
    """Make the parser of the arguments that every job takes."""
    parser = argparse.ArgumentParser(prog=f"counterpoise {name}", description=summary)
    add_arguments(parser)
    if name in _READ_THE_SOURCE:
        parser.add_argument(
            "--allow-shrink",
            action="append",
            default=[],
            choices=RAW_TABLES,
            help="let this table lose rows this once; may be given again for another table",
        )
    return parser


def nightly_parser() -> argparse.ArgumentParser:
    """Make the parser of `nightly`: the arguments of a job, and the part of the chain to run."""
    parser = job_parser("nightly", "Run the whole chain for one run date.")
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--from", dest="first", metavar="STEP", help="start at this step")
    group.add_argument("--only", metavar="STEP", help="run this step alone")
    parser.add_argument("--force", action="store_true", help="run steps that are unchanged too")
    return parser


def experiment_parser() -> argparse.ArgumentParser:
    """Make the parser of `experiment`: a file of conf/experiments, its quick profile, settings."""
    parser = argparse.ArgumentParser(
        prog="counterpoise experiment",
        description="Run arms x seeds on the same snapshots and compare the arms.",
    )
    parser.add_argument("file", type=Path, help="a file of conf/experiments")
    parser.add_argument("--quick", action="store_true", help="its quick profile (minutes)")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        dest="settings",
        help="experiment.a.b=c changes the experiment, a.b=c the conf of every arm",
    )
    return parser


def show_conf_parser() -> argparse.ArgumentParser:
    """Make the parser of `show-conf`: the arguments of a job, and the form of what is shown."""
    parser = job_parser("show-conf", "Print every key of the resolved conf.")
    parser.add_argument(
        "--format",
        choices=FORMATS,
        default="table",
        help="table: key, value and origin; yaml, json: what --conf takes again",
    )
    return parser


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add --conf, --set, --run-date and --dry-run."""
    parser.add_argument("--conf", action="append", default=[], metavar="FILE", help="YAML layer")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="settings")
    parser.add_argument("--run-date", metavar="YYYY-MM-DD", help="day that is served (UTC)")
    parser.add_argument("--dry-run", action="store_true", help="plan and row counts, no writes")


def resolve_conf(arguments: argparse.Namespace) -> "ResolvedConf":
    """Resolve the conf of parsed arguments.

    Raises:
        ConfError: as `load_conf`.
    """
    from conf.load import load_conf

    return load_conf(
        arguments.conf,
        arguments.settings,
        arguments.run_date,
        dry_run=arguments.dry_run,
        allow_shrink=getattr(arguments, "allow_shrink", ()),
    )


def resolve_for_run(arguments: argparse.Namespace) -> "ResolvedConf":
    """Resolve the conf of a run, which names its source and its run date.

    Raises:
        ConfError: as `load_conf`, or one of the two is missing.
    """
    conf = resolve_conf(arguments)
    _ = conf.source, conf.run_date
    return conf


def summary_of(name: str) -> str:
    """Read the `summary` of the job in jobs/NAME.py without running its imports."""
    _, call = parse_declaration(name)
    return str(ast.literal_eval({k.arg: k.value for k in call.keywords}["summary"]))


def add_decider(parser: argparse.ArgumentParser) -> None:
    """Add --by and --why; `jobs.serving.deciders` asks for both."""
    parser.add_argument("--by", default="", metavar="WHO", help="who decides")
    parser.add_argument("--why", default="", metavar="TEXT", help="the reason, for the record")


def add_reweight(parser: argparse.ArgumentParser) -> None:
    """Add whether to make, list or drop a trial."""
    wanted = parser.add_mutually_exclusive_group(required=True)
    wanted.add_argument("--trial", metavar="NAME", help="rank by conf's weights under this name")
    wanted.add_argument("--list", action="store_true", help="the trials of the run date")
    wanted.add_argument("--drop", metavar="NAME", help="remove a trial of the run date")


def add_adopt_weights(parser: argparse.ArgumentParser) -> None:
    """Add which weights are adopted, who decides and why."""
    wanted = parser.add_mutually_exclusive_group(required=True)
    wanted.add_argument("--trial", metavar="NAME", help="weights of a trial of the run date")
    wanted.add_argument("--version", metavar="HASH", help="weights that were adopted before")
    wanted.add_argument("--back-to-tuned", action="store_true", help="end the adoption")
    wanted.add_argument("--list", action="store_true", help="what was decided, the last first")
    add_decider(parser)


def add_admit_model(parser: argparse.ArgumentParser) -> None:
    """Add whether to go back to the model before."""
    parser.add_argument(
        "--rollback", action="store_true", help="revoke the model in force; needs --by and --why"
    )
    add_decider(parser)


OWN: dict[str, Callable[[argparse.ArgumentParser], None]] = {
    "reweight": add_reweight,
    "adopt_weights": add_adopt_weights,
    "admit_model": add_admit_model,
}
