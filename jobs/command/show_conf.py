"""Shows the resolved conf: every key with value and origin, or a file that --conf takes again."""

import argparse
import json
import sys

from rich.console import Console
from rich.table import Table
from rich.text import Text

from conf.explain import origin_of
from conf.load import ResolvedConf, flatten_tree
from conf.text import conf_text
from jobs.command.arguments import resolve_conf

_WIDE = 100_000
"""Characters of a line that goes to a file or a pipe: no key or value is cut there."""


def main(arguments: argparse.Namespace) -> int:
    """Print the conf in the form that the arguments ask for.

    Raises:
        ConfError: as `load_conf`.
    """
    conf = resolve_conf(arguments)
    if arguments.format == "yaml":
        print(conf_text(conf), end="")
    elif arguments.format == "json":
        print(json.dumps(conf.shown, indent=1, ensure_ascii=False))
    else:
        _print_table(conf)
    return 0


def _print_table(conf: ResolvedConf) -> None:
    table = Table(title=f"conf {conf.hash}", title_justify="left")
    for column in ("key", "value", "from"):
        table.add_column(column, overflow="fold")
    for key, value in flatten_tree(conf.shown).items():
        table.add_row(*map(Text, (key, str(value), origin_of(key, conf.origins))))
    width = None if sys.stdout.isatty() else _WIDE
    Console(width=width).print(table)
