"""Lets one process at a time commit to the tables below a root on this machine.

On local disks Delta keeps two commits apart only within one JVM: of two processes that write the
same version, the later one may overwrite the earlier one's file. Threads of a process share the
lock; Delta keeps them apart. A file system without locks (a mounted object store, whose tables have
a way of their own) is used as it is.
"""

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_GUARD = threading.Lock()
_HELD: dict[Path, tuple[int, int]] = {}
"""By lock file: its descriptor, and how many threads are inside (count)."""


@contextmanager
def hold_commit_lock(root: Path) -> Iterator[None]:
    """Wait until no other process commits below the root, and keep others waiting in the block.

    The system frees the lock of a process that dies.
    """
    path = root / "state" / "commit.lock"
    _enter(path)
    try:
        yield
    finally:
        _leave(path)


def _enter(path: Path) -> None:
    with _GUARD:
        descriptor, count = _HELD.get(path, (-1, 0))
        _HELD[path] = (descriptor if count else _open_locked(path), count + 1)


def _leave(path: Path) -> None:
    with _GUARD:
        descriptor, count = _HELD.pop(path)
        if count > 1:
            _HELD[path] = (descriptor, count - 1)
        elif descriptor >= 0:
            os.close(descriptor)


def _open_locked(path: Path) -> int:
    """Open and lock the file; -1 where the file system has no locks."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o640)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    except OSError:
        os.close(descriptor)
        return -1
    return descriptor
