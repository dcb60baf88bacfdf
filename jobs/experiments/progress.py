"""How far an experiment is, and how long it will still take."""

import time
from collections.abc import Mapping
from typing import Any

from rich.console import Console

from model.experiments.training import FAILED, Training

_EVERY_SECONDS = 20.0
"""Seconds between two lines: trainings take seconds to minutes."""


class Clock:
    """Counts trainings and prints a line now and then; thread-safe enough for one driver."""

    def __init__(self, planned: int, workers: int, console: Console) -> None:
        self.planned, self.workers, self.console = planned, workers, console
        self.done = 0
        self._trained, self._seconds = 0, 0.0
        self._started = self._printed = time.monotonic()
        self._seen: set[str] = set()

    def record_end(self, training: Training, state: Mapping[str, Any]) -> None:
        """Count a training that ended, in this run or in an earlier one."""
        fresh = training.folder.name not in self._seen
        self._seen.add(training.folder.name)
        self.done += 1
        seconds = float(state.get("seconds", 0.0))
        if fresh and seconds:
            self._trained, self._seconds = self._trained + 1, self._seconds + seconds
        if state.get("state") == FAILED:
            self.print_line(f"failed: {training.label}: {state.get('reason')}")
        if time.monotonic() - self._printed > _EVERY_SECONDS:
            self.print_line(self.format_line())

    def format_line(self) -> str:
        """Format the trainings done and the time left."""
        return f"{self.done} of {self.planned} trainings, {self._estimate_left()}"

    def print_line(self, text: str) -> None:
        """Print a line."""
        self._printed = time.monotonic()
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def _estimate_left(self) -> str:
        if not self._trained:
            return "time left not known yet"
        mean = self._seconds / self._trained
        minutes = mean * max(self.planned - self.done, 0) / max(self.workers, 1) / 60
        return f"about {minutes:.1f} minutes left"
