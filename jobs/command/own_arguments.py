"""Arguments that single jobs take beside those of every job; nothing here imports Spark."""

import argparse
from collections.abc import Callable


def add_decider(parser: argparse.ArgumentParser) -> None:
    """Add --by and --why; `jobs.serving.deciders` asks for both."""
    parser.add_argument("--by", default="", metavar="WHO", help="who decides")
    parser.add_argument("--why", default="", metavar="TEXT", help="the reason, for the record")


def add_reweight(parser: argparse.ArgumentParser) -> None:
    """Make, list or drop a trial."""
    wanted = parser.add_mutually_exclusive_group(required=True)
    wanted.add_argument("--trial", metavar="NAME", help="rank by conf's weights under this name")
    wanted.add_argument("--list", action="store_true", help="the trials of the run date")
    wanted.add_argument("--drop", metavar="NAME", help="remove a trial of the run date")


def add_adopt_weights(parser: argparse.ArgumentParser) -> None:
    """Which weights, who and why."""
    wanted = parser.add_mutually_exclusive_group(required=True)
    wanted.add_argument("--trial", metavar="NAME", help="weights of a trial of the run date")
    wanted.add_argument("--version", metavar="HASH", help="weights that were adopted before")
    wanted.add_argument("--back-to-tuned", action="store_true", help="end the adoption")
    wanted.add_argument("--list", action="store_true", help="what was decided, the last first")
    add_decider(parser)


def add_admit_model(parser: argparse.ArgumentParser) -> None:
    """Whether to go back to the model before."""
    parser.add_argument(
        "--rollback", action="store_true", help="revoke the model in force; needs --by and --why"
    )
    add_decider(parser)


OWN: dict[str, Callable[[argparse.ArgumentParser], None]] = {
    "reweight": add_reweight,
    "adopt_weights": add_adopt_weights,
    "admit_model": add_admit_model,
}
