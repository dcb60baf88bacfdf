"""Lets one process at a time write a table of this machine's disks.

On local disks Delta keeps two commits apart only within one JVM: of two processes that write the
same version, the later one may overwrite the earlier one's file. Threads of a process share the
lock; Delta keeps them apart. A file system without locks (a mounted object store, whose tables have
a way of their own) is used as it is.
"""

import errno
import fcntl
import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

_NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL})
"""What file systems without locks answer."""
_LOG = logging.getLogger(__name__)


@dataclass
class _Held:
    """The lock of one file: how many threads are inside (count), and its descriptor while any is;
    -1 where the file system has no locks."""

    guard: threading.Lock = field(default_factory=threading.Lock)
    inside: int = 0
    descriptor: int = -1


_GUARD = threading.Lock()
_HELD: dict[Path, _Held] = {}
"""By lock file; there is one per table."""


@contextmanager
def hold_commit_lock(root: Path, table: str) -> Iterator[bool]:
    """Wait until no other process writes the table, and keep others waiting in the block.

    Yields whether there is a lock: false on a file system that has none. The system frees the lock
    of a process that dies.

    Args:
        root: of the tables.
        table: name.
    """
    path = root.resolve() / "state" / "commits" / f"{table}.lock"
    with _GUARD:
        held = _HELD.setdefault(path, _Held())
    with held.guard:
        if held.inside == 0:
            held.descriptor = _open_locked(path)
        held.inside += 1
    try:
        yield held.descriptor >= 0
    finally:
        with held.guard:
            held.inside -= 1
            if held.inside == 0 and held.descriptor >= 0:
                os.close(held.descriptor)


def _open_locked(path: Path) -> int:
    """Open and lock the file; -1 where the file system has no locks."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = -1
    try:
        # The mode is less the umask: users of a group may share a root.
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        _lock_file(descriptor, path)
    except OSError as error:
        if descriptor >= 0:
            os.close(descriptor)
        if error.errno not in _NO_LOCKS:
            raise
        return -1
    return descriptor


def _lock_file(descriptor: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        _LOG.warning("table %s: waits for another process that writes it", path.stem)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
