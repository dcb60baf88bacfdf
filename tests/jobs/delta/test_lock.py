"""The lock between processes: who waits, who shares, and what a death leaves."""

import errno
import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from jobs.delta import lock
from jobs.delta.lock import hold_commit_lock

SCRIPT = (
    "import sys; from pathlib import Path; from jobs.delta.lock import hold_commit_lock\n"
    "with hold_commit_lock(Path(sys.argv[1]), 'items'):\n"
    "    print('held', flush=True); sys.stdin.readline(); Path(sys.argv[1], 'end').touch()\n"
)


def hold_elsewhere(root: Path) -> "subprocess.Popen[bytes]":
    """A process that holds the lock until it is sent a line."""
    command = [sys.executable, "-c", SCRIPT, str(root)]
    other = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert other.stdout is not None and other.stdout.readline() == b"held\n"
    return other


def is_free(root: Path) -> bool:
    """Whether another opener would get the lock at once."""
    descriptor = os.open(root / "state" / "commits" / "items.lock", os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True


def test_a_process_waits_for_another_that_writes_the_table(tmp_path: Path) -> None:
    with hold_elsewhere(tmp_path) as other:
        assert other.stdin is not None
        assert not is_free(tmp_path)
        with hold_commit_lock(tmp_path, "queries"):
            assert not (tmp_path / "end").exists()
        other.stdin.write(b"go\n")
        other.stdin.flush()
        with hold_commit_lock(tmp_path, "items"):
            assert (tmp_path / "end").exists()


def test_blocks_of_one_process_share_it_and_the_last_one_frees_it(tmp_path: Path) -> None:
    with hold_commit_lock(tmp_path, "items"):
        with hold_commit_lock(tmp_path / ".." / tmp_path.name, "items"):
            assert not is_free(tmp_path)
        assert not is_free(tmp_path)
    assert is_free(tmp_path)


def test_a_process_that_dies_keeps_nobody_waiting(tmp_path: Path) -> None:
    with hold_elsewhere(tmp_path) as other:
        other.kill()
        with hold_commit_lock(tmp_path, "items"):
            pass


def test_a_file_system_without_locks_is_used_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = errno.ENOTSUP

    def refuse(*_: object) -> None:
        raise OSError(answer, os.strerror(answer))

    monkeypatch.setattr(lock.fcntl, "flock", refuse)
    with hold_commit_lock(tmp_path, "items"), hold_commit_lock(tmp_path, "items"):
        pass
    answer = errno.EIO
    with pytest.raises(OSError, match=os.strerror(errno.EIO)), hold_commit_lock(tmp_path, "items"):
        pass
