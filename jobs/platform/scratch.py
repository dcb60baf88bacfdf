"""Keeps what local Spark spills and caches in a private folder below the root, and removes it.

A run that is killed cannot remove its own: the next run on the same host does.
"""

import atexit
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from conf.load import ConfError

FOLDER = ".spark"
_PRIVATE = 0o700
"""Blocks of Spark hold rows as they were read: nobody else on the machine may look at them."""
_OPEN: set[Path] = set()
"""Folders of this process: one of its number that it did not open was left by an earlier one."""


def open_scratch(root: Path) -> Path:
    """Make this process's folder below the root, gone when the process ends; sweep dead ones'.

    Raises:
        ConfError: the root cannot be written.
    """
    folder = root / FOLDER / f"{socket.gethostname()}-{os.getpid()}"
    if folder in _OPEN:
        return folder
    try:
        _sweep_dead(folder.parent)
        folder.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfError(
            f"storage.root: {root} cannot be written ({error.strerror}); name a folder that can be"
        ) from error
    _OPEN.add(folder)
    # Where torch would make a folder of its own for all runs of a user, beside other users' files.
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(folder / "torchinductor"))
    atexit.register(_remove_folder, folder, root)
    return folder


@contextmanager
def temporary_files_in(folder: Path) -> Iterator[None]:
    """Make Python's temporary files of the block in this folder.

    While Spark starts they hold how its JVM is reached; a run that is killed then cannot remove
    them.
    """
    before = tempfile.tempdir
    tempfile.tempdir = str(folder)
    try:
        yield
    finally:
        tempfile.tempdir = before


def _sweep_dead(scratch: Path) -> None:
    """Remove the folders of this host's processes that ended without removing them."""
    host = f"{socket.gethostname()}-"
    for folder in scratch.glob(f"{host}*"):
        pid = folder.name.removeprefix(host)
        if pid.isdecimal() and (int(pid) == os.getpid() or not _is_alive(int(pid))):
            shutil.rmtree(folder, ignore_errors=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _remove_folder(folder: Path, root: Path) -> None:
    """Remove the folder, and what is empty above it: a dry run leaves nothing.

    A process that was forked off inherits the call; the folder is not its own.
    """
    if not folder.name.endswith(f"-{os.getpid()}"):
        return
    shutil.rmtree(folder, ignore_errors=True)
    for above in (folder.parent, root):
        with suppress(OSError):
            above.rmdir()
