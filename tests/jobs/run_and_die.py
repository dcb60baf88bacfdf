"""Runs `counterpoise` and kills its own process group at a named point, as a crash would.

    python tests/jobs/run_and_die.py POINT JOB [options]

Points: `log:TABLE` between the folder of the table's log and its first commit, `commit:TABLE@STEP`
right after the step's first commit to the table, `checkpoint` right after the first checkpoint of a
training.
"""

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from features.contracts import Table
from jobs.command.cli import main
from jobs.delta.tables import DeltaTables
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


def is_at(name: str, step: str) -> Callable[..., bool]:
    """Whether a call of a warehouse's method writes to the table in the step."""
    return lambda self, table, *_: (table.name, self.report.job) == (name, step)


def begin_log(self: DeltaTables, table: Table) -> None:
    """Leave what Delta leaves that was killed before the table's first commit."""
    log = self.locate_table(table) / "_delta_log"
    (log / "_staged_commits").mkdir(parents=True)
    (log / ".00000000000000000000.json.tmp").touch()


def arm(point: str) -> None:
    """Set the point.

    Raises:
        ValueError: there is no such point.
    """
    kind, _, place = point.partition(":")
    name, _, step = place.partition("@")
    if kind == "commit":
        for method in ("merge", "replace", "append"):
            setattr(Warehouse, method, die_after(getattr(Warehouse, method), is_at(name, step)))
    elif kind == "log":
        clear = DeltaTables._clear_torn

        def begin_and_die(self: DeltaTables, table: Table) -> None:
            clear(self, table)
            if table.name == name:
                begin_log(self, table)
                die()

        DeltaTables._clear_torn = begin_and_die  # type: ignore[method-assign]
    elif kind == "checkpoint":
        import model.training.trainer

        model.training.trainer.save_checkpoint = die_after(
            model.training.trainer.save_checkpoint, lambda *_: True
        )
    else:
        raise ValueError(f"no point {point!r}: write log:TABLE, commit:TABLE@STEP or checkpoint")


if __name__ == "__main__":
    arm(sys.argv[1])
    sys.exit(main(sys.argv[2:]))
