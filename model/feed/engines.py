"""The engines by name, and what an engine is."""

from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from conf.errors import UserError

Floats = npt.NDArray[np.float32]


class EngineError(UserError, ImportError):
    """The package of the engine that conf names is not installed."""


class FeedEngine(Protocol):
    """Reads row groups; everything else of a feed is shared by all engines."""

    def __call__(
        self, paths: Sequence[Path], columns: Sequence[str], seed: int | None
    ) -> Iterator[Floats]:
        """Yield each file's rows as a matrix [columns, rows].

        Files come in the order of `order_files(paths, seed)`.
        """
        ...


def load_engine(name: str) -> FeedEngine:
    """Load the engine `name` (petastorm, pyarrow or memory); only the one that is used is imported.

    Raises:
        EngineError: its package is not installed.
    """
    try:
        read: FeedEngine = import_module(f"model.feed.{name}").read_files
    except ImportError as error:
        raise EngineError(
            f"feed.engine {name}: {error.name} is not installed; install the extra `{name}` of the "
            "wheel, or set feed.engine: pyarrow, which gives the same rows in the same order"
        ) from error
    return read


def order_files(paths: Sequence[Path], seed: int | None) -> list[Path]:
    """Order in which every engine reads the files: by path, or shuffled by the seed.

    The shuffle is the one that petastorm's ventilator does: numpy's legacy generator over the
    list of files sorted by path.
    """
    ordered = sorted(paths, key=str)
    if seed is not None:
        np.random.RandomState(seed).shuffle(ordered)  # type: ignore[arg-type]
    return ordered
