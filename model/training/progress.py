"""The progress bar of an epoch."""

from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor

_EVERY = 20
"""Steps between two readings of the loss: each waits for the device."""


class EpochBar:
    """A bar on the terminal (standard error); nothing where that is none, or `shown` is False."""

    def __init__(self, epoch: int, epochs: int, steps: int, shown: bool) -> None:
        console = Console(stderr=True)
        self._bar = Progress(
            TextColumn(f"epoch {epoch}/{epochs}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("loss {task.fields[loss]}"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not (shown and console.is_terminal),
        )
        self._task = self._bar.add_task("", total=steps, loss="-")
        self._done = 0

    def step(self, loss: Tensor) -> None:
        """Count one step; the loss is read from the device only now and then."""
        self._done += 1
        if not self._bar.disable and self._done % _EVERY == 0:
            self._bar.update(self._task, completed=self._done, loss=f"{float(loss):.4f}")

    def __enter__(self) -> "EpochBar":
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()
