"""The lock between processes: who waits, who shares, and what a death leaves."""

import subprocess
import sys
from pathlib import Path

import pytest

from jobs.delta import lock
from jobs.delta.lock import hold_commit_lock

SCRIPT = (
    "import sys, time; from pathlib import Path; from jobs.delta.lock import hold_commit_lock\n"
    "with hold_commit_lock(Path(sys.argv[1])):\n"
    "    print('held', flush=True); time.sleep(float(sys.argv[2]))\n"
    "    Path(sys.argv[1], 'end').touch()\n"
)


def hold_elsewhere(root: Path, seconds: float) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-c", SCRIPT, str(root), str(seconds)]
    other = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert other.stdout is not None and other.stdout.readline() == b"held\n"
    return other


def test_a_process_waits_for_another(tmp_path: Path) -> None:
    with hold_elsewhere(tmp_path, 1.0), hold_commit_lock(tmp_path):
        assert (tmp_path / "end").exists()


def test_another_waits_until_the_last_block_ends(tmp_path: Path) -> None:
    command = [sys.executable, "-c", SCRIPT, str(tmp_path), "0"]
    with hold_commit_lock(tmp_path):
        with hold_commit_lock(tmp_path):  # blocks of one process share it
            other = subprocess.Popen(command, stdout=subprocess.PIPE)
        with pytest.raises(subprocess.TimeoutExpired):
            other.wait(1.0)
    assert other.wait(30) == 0 and not lock._HELD


def test_a_process_that_dies_keeps_nobody_waiting(tmp_path: Path) -> None:
    with hold_elsewhere(tmp_path, 600.0) as other:
        other.kill()
        with hold_commit_lock(tmp_path):
            pass


def test_a_file_system_without_locks_is_used_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError("no locks")

    monkeypatch.setattr(lock.fcntl, "flock", refuse)
    with hold_commit_lock(tmp_path), hold_commit_lock(tmp_path):
        pass
    assert not lock._HELD
