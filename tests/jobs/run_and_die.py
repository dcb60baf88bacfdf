"""Runs `counterpoise` and kills its own process group at a named point, as a crash would.

    python tests/jobs/run_and_die.py POINT JOB [options]

Points: `commit:TABLE` right after the first commit to the table, `checkpoint` right after the first
checkpoint of a training.
"""

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from features.contracts import Table
from jobs.command.cli import main
from jobs.platform.warehouse import Warehouse


def die(*_: object) -> None:
    os.killpg(os.getpgid(0), signal.SIGKILL)


def die_after(function: Callable[..., Any], when: Callable[..., bool]) -> Callable[..., Any]:
    """The function, which kills the process after a call whose arguments satisfy `when`."""

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        result = function(*args, **kwargs)
        if when(*args):
            die()
        return result

    return wrapped


def arm(point: str) -> None:
    """Set the point.

    Raises:
        ValueError: there is no such point.
    """
    kind, _, name = point.partition(":")
    if kind == "commit":
        for method in ("merge", "replace", "append"):
            original = getattr(Warehouse, method)
            setattr(Warehouse, method, die_after(original, lambda _, table, *__: _is(table, name)))
    elif kind == "checkpoint":
        import model.training.trainer

        model.training.trainer.save_checkpoint = die_after(
            model.training.trainer.save_checkpoint, lambda *_: True
        )
    else:
        raise ValueError(f"no point {point!r}: write commit:TABLE or checkpoint")


def _is(table: Table, name: str) -> bool:
    return table.name == name


if __name__ == "__main__":
    arm(sys.argv[1])
    sys.exit(main(sys.argv[2:]))
