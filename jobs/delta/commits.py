"""Tries a commit again that another run's commit overtook.

Runs of different run dates may share a root: each replaces rows of its own date, and merges into
the tables of entities. Delta refuses the later one of two commits that read the same files; made
again, it starts from what the first one left.
"""

import random
import time
from collections.abc import Callable
from typing import TypeVar

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException

from conf.errors import OwnedError
from jobs.delta.history import is_overtaken

T = TypeVar("T")

_WAITS = (0.5, 2.0, 8.0, 20.0)
"""Seconds before each further try, at most: commits of a table are seconds apart in a night. Waits
are drawn at random, so that two runs do not meet again."""


class RivalRunError(OwnedError, RuntimeError):
    """Two runs of one job write the same rows; the message names the table."""


def retry_commit(commit: Callable[[], T]) -> T:
    """What `commit` returns, run again where Delta says that another commit came first."""
    for wait in _WAITS:
        try:
            return commit()
        except (PySparkException, Py4JError) as error:
            if not is_overtaken(error):
                raise
        time.sleep(random.uniform(0, wait))
    return commit()
