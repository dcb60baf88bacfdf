"""One owner per storage root and run date: a second run stops at once and says who the first is.

The owner writes `state/RUN_DATE.owner.json` under the root (host, pid, since when) and touches it
while it works. A file that is left behind is taken over: at once where its process is gone from
this machine, and elsewhere once nobody has touched it for STALE_SECONDS. Runs of different run
dates may share a root: `jobs.delta.commits` says how.
"""

import fcntl
import json
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from conf.errors import ConfError, OwnedError

BEAT_SECONDS = 20.0
"""Between two touches of the file: often beside STALE_SECONDS, seldom for a network mount."""

STALE_SECONDS = 300.0
"""An owner on another machine is gone after so long without a touch: longer than a mount that
hangs or a machine that is paused for a moment, shorter than the wait for the next night."""


@dataclass(frozen=True)
class Owner:
    """The process that owns a root and a run date.

    Attributes:
        host: name of its machine.
        machine: boot and process namespace, in which `pid` has a meaning.
        pid: of its process.
        ticks: start of the process in ticks since boot: another process of the same pid has others.
        since: when it began (ISO, UTC).
        command: what it runs, e.g. nightly.
    """

    host: str
    machine: str
    pid: int
    ticks: str
    since: str
    command: str

    def is_same(self, other: "Owner") -> bool:
        """Return whether both are one process."""
        mine = (self.host, self.machine, self.pid, self.ticks)
        return mine == (other.host, other.machine, other.pid, other.ticks)


@contextmanager
def claim_root(root: Path, run_date: date, command: str) -> Iterator[None]:
    """Own the root and run date for the block; inside a block of the same process: still own it.

    Raises:
        OwnedError: another run owns them; or took them over while this one was silent.
        ConfError: the root cannot be written.
    """
    path = root / "state" / f"{run_date.isoformat()}.owner.json"
    me = this_process(command)
    try:
        inner = _take_ownership(path, me)
    except OSError as error:
        raise ConfError(
            f"storage.root: {root} cannot be written ({error.strerror}); name a folder that can be"
        ) from error
    if inner:
        yield
        return
    done = threading.Event()
    threading.Thread(target=_touch_until, args=(path, done), daemon=True).start()
    try:
        yield
    finally:
        done.set()
        # What stays on a disk that is full or gone is taken over later; the block's error counts.
        with suppress(OSError), _lock_file(path):
            left = _read_owner(path)
            if left is not None and left.is_same(me):
                path.unlink(missing_ok=True)


def this_process(command: str) -> Owner:
    """Describe this process as an owner."""
    pid, now = os.getpid(), datetime.now(UTC).isoformat(timespec="seconds")
    return Owner(socket.gethostname(), _identify_machine(), pid, _read_ticks(pid), now, command)


def _take_ownership(path: Path, me: Owner) -> bool:
    """Write the file; True where this process owns it already."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with _lock_file(path) as now:
        if path.exists():
            owner = _read_owner(path)
            if owner is not None and owner.is_same(me):
                return True
            silent = now - path.stat().st_mtime
            if not _is_gone(owner, me, silent):
                raise OwnedError(_explain_refusal(path, owner, silent))
            path.unlink()
        _create_file(path, me)
    return False


def _create_file(path: Path, me: Owner) -> None:
    """Write the file where there is none: one process only can."""
    try:
        with path.open("x", encoding="utf-8") as stream:
            stream.write(json.dumps(asdict(me)))
    except FileExistsError:
        raise OwnedError(_explain_refusal(path, _read_owner(path), 0.0)) from None
    except OSError:
        path.unlink(missing_ok=True)
        raise


def _is_gone(owner: Owner | None, me: Owner, silent: float) -> bool:
    """Return whether the owner's process has ended, as far as it can be seen from here."""
    if owner is None or (owner.host, owner.machine) != (me.host, me.machine):
        return silent > STALE_SECONDS
    try:
        os.kill(owner.pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    return _read_ticks(owner.pid) != owner.ticks


def _explain_refusal(path: Path, owner: Owner | None, silent: float) -> str:
    root, run_date = path.parents[1], path.name.partition(".")[0]
    if owner is None:
        who = "a run whose file names no process"
    else:
        who = f"`{owner.command}` on host {owner.host}, pid {owner.pid}, since {owner.since}"
    return (
        f"run date {run_date} under {root} is owned by {who} (seen {max(silent, 0):.0f} s ago): "
        f"wait for it to end or stop it; if it is gone, remove {path}, which a run does by itself "
        f"once it was silent for {STALE_SECONDS:.0f} s"
    )


def _read_owner(path: Path) -> Owner | None:
    """Read the owner; None where the file is gone, or was half written as its run was killed."""
    try:
        return Owner(**json.loads(path.read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        return None


@contextmanager
def _lock_file(path: Path) -> Iterator[float]:
    """Keep other processes from the file meanwhile; gives the file system's time (s since 1970).

    A file system without locks (some mounts of object stores) does without: what is left is that
    the file is created by one process only.
    """
    guard = path.with_suffix(".lock")
    guard.parent.mkdir(parents=True, exist_ok=True)
    with guard.open("w") as stream:
        with suppress(OSError):
            fcntl.flock(stream, fcntl.LOCK_EX)
        os.utime(guard)
        yield guard.stat().st_mtime


def _touch_until(path: Path, done: threading.Event) -> None:
    """Touch the file until the block has ended; a touch that fails is tried again."""
    while not done.wait(BEAT_SECONDS):
        with suppress(OSError):
            os.utime(path)


def _identify_machine() -> str:
    """Return boot and process namespace; empty on a system that does not tell."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def _read_ticks(pid: int) -> str:
    """Start of a process in ticks since boot, field 22 of its stat.

    Empty where the system does not tell it, and for a zombie, which has ended.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    state, *fields = stat.rpartition(")")[2].split()
    return "" if state == "Z" else fields[18]
