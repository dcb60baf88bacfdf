"""How a command ends: its exit code, one line for an error, the trace in a file.

The codes are those of `conf.errors`. SIGTERM ends a command as Ctrl-C does: cleaned up, code 130.
"""

import signal
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from conf.errors import UserError
from jobs.command.causes import cause_line

FAILED = 1
"""Exit code of a step that failed."""
INTERRUPTED = 130
"""128 + SIGINT, as shells have it."""


class StepFailedError(RuntimeError):
    """A step failed; the message names it, the trace's file and how to go on."""


def exit_code(error: BaseException) -> int:
    """Return the code of the first UserError among an error and its causes, else 1.

    So the same fault has the same code from `nightly`, which wraps it, and from the job alone.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, UserError):
            return cause.exit_code
        cause = cause.__cause__
    return FAILED


def run_guarded(name: str, command: Callable[[], int]) -> int:
    """Run a command to its exit code; what it raises is told in one line on stderr."""
    try:
        with _terminated_as_interrupted():
            return command()
    except SystemExit as stop:  # of argparse: 0 after --help, 2 for wrong usage
        return stop.code if isinstance(stop.code, int) else FAILED
    except KeyboardInterrupt:
        _print_error(name, "interrupted; the same command goes on where it was")
        return INTERRUPTED
    except (UserError, StepFailedError) as error:
        _print_error(name, str(error))
        return exit_code(error)
    except Exception as error:
        with tempfile.NamedTemporaryFile(
            "w", prefix=f"counterpoise-{name}-", suffix=".error.txt", delete=False
        ) as file:
            file.write(traceback.format_exc())
        _print_error(name, f"{cause_line(error)}\n(the whole trace: {file.name})")
        return FAILED


def step_failed(name: str, error: Exception, trace: Path) -> StepFailedError:
    """Make the error to raise from a step's own; its whole trace is kept in the file `trace`."""
    from jobs.platform.runner import keep_trace

    return StepFailedError(
        f"step {name} failed: {cause_line(error)}\n{keep_trace(error, trace)}\n"
        f"mend it and run the same command again: finished steps are skipped"
    )


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """Raise KeyboardInterrupt on SIGTERM; only the main thread may, and it may undo it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _raise_interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _raise_interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _print_error(name: str, text: str) -> None:
    print(f"counterpoise {name}: {text}", file=sys.stderr)
