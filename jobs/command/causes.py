"""Finds, in an error of Spark, Delta or a Python worker, the one line that tells its cause."""

import re
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from conf.errors import UserError

Method = TypeVar("Method", bound=Callable[..., Any])

_MOST_CHARS = 500
"""Delta prints whole commits, the planner whole plans: a line of an error is not for those."""

_WORKER = "Traceback (most recent call last):"
_CAUSED_BY = "Caused by: "
_CALL = re.compile(r"^An error occurred while calling ")
_PACKAGE = re.compile(r"^(?:[a-z_][\w$]*\.)+(?=[A-Z])")
_FILE = re.compile(r"reading file (\S+?)[.,;]?(?:\s|$)")


def cause_line(error: BaseException) -> str:
    """Tell the cause of an error in one line: its kind, what it says, and its notes.

    Of an error from the JVM that is the innermost cause, of one from a Python worker the last line
    of the worker's trace; a file whose reading failed is named where the line itself does not.
    """
    text = str(error).strip()
    if isinstance(error, UserError):
        line = f"{type(error).__name__}: {' '.join(text.split())}"
    else:
        line = _cut_line(_find_cause(text) or _own_words(error, text))
    named = _FILE.search(text)
    places = [f"file {named[1]}"] if named and named[1] not in line else []
    places += getattr(error, "__notes__", [])
    return f"{line} ({'; '.join(places)})" if places else line


def naming_table(doing: str) -> Callable[[Method], Method]:
    """Decorate a method whose first argument is a table: its errors get a note that names the
    table.

    The error keeps its class, so that whoever expects it still catches it.
    """

    def decorate(method: Method) -> Method:
        @wraps(method)
        def call_with_note(self: Any, table: Any, *args: Any, **kwargs: Any) -> Any:
            try:
                return method(self, table, *args, **kwargs)
            except Exception as error:
                text = " ".join([str(error), *getattr(error, "__notes__", [])])
                if f"table {table.name}" not in text:
                    error.add_note(f"{doing} table {table.name}")
                raise

        return cast(Method, call_with_note)

    return decorate


def _find_cause(text: str) -> str:
    """Find the worker's or the JVM's innermost cause; empty where the text holds neither."""
    lines = text.splitlines()
    traces = [number for number, line in enumerate(lines) if _WORKER in line]
    if traces:
        after = lines[traces[-1] + 1 :]
        return next((_PACKAGE.sub("", s.strip()) for s in after if s[:1].strip()), "")
    stripped = (line.strip() for line in lines)
    causes = [s.removeprefix(_CAUSED_BY) for s in stripped if s.startswith(_CAUSED_BY)]
    telling = [cause for cause in causes if ": " in cause]
    return _PACKAGE.sub("", telling[-1]) if telling else ""


def _own_words(error: BaseException, text: str) -> str:
    """Return the first line that says something: Py4J's own names only a call into the JVM."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if len(lines) > 1 and _CALL.match(lines[0]):
        return _PACKAGE.sub("", lines[1].removeprefix(": "))
    return f"{type(error).__name__}: {lines[0] if lines else ''}"


def _cut_line(line: str) -> str:
    return line if len(line) <= _MOST_CHARS else line[:_MOST_CHARS] + " ..."
