"""`python -m bench [NAME ...]`: run the measurements and print what came out against the limits.

Without a name: those that have a limit and take minutes. The others explain or compare, take
longer, and run when they are named.
"""

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module

from rich.console import Console
from rich.table import Table

from bench.result import Result

NAMES = ("feed", "throughput", "scoring", "nightly")
LABELS = ("labelers", "tree_inputs", "audit", "mix", "labeling", "causal_lm")
"""In bench/labels."""
ON_REQUEST = (
    *("worlds", "joint_gain", *LABELS, "fit_features", "arms", "kills", "second_night"),
    "log_features",
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the named measurements (NAMES by default); exit code 1 where a limit is missed."""
    allowed = (*NAMES, *ON_REQUEST)
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(allowed))
    names = parser.parse_args(argv).names or NAMES
    unknown = [name for name in names if name not in allowed]
    if unknown:
        parser.error(f"no measurement {unknown[0]!r}; there are: {', '.join(allowed)}")
    results: list[Result] = []
    for name in names:
        room = "bench.labels" if name in LABELS else "bench"
        results += import_module(f"{room}.{name}").measure()
    Console().print(build_table(results))
    return 0 if all(result.holds for result in results) else 1


def build_table(results: Sequence[Result]) -> Table:
    """Build a table of one line per result."""
    lines = Table("what", "measured", "limit", "holds", title="bench")
    for r in results:
        lines.add_row(r.what, r.measured, r.limit, "yes" if r.holds else "NO")
    return lines


if __name__ == "__main__":
    sys.exit(main())
