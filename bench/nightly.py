"""The whole nightly run on the simulated market: wall time, and memory of the driver by size.

The run is a process of its own. Its Python driver and its JVM are watched from outside; in local
mode the JVM holds the executors too, so its heap is capped alike for both sizes and the larger
one has to pass under the same cap.
"""

import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.result import Result
from conf.load import SIMULATED

MIB = 1024 * 1024
"""Bytes of a MiB."""
TIME_LIMIT_S = 300.0
"""Seconds that the smaller run may take."""
GROWTH_LIMIT = 1.25
"""Times that the driver's memory may grow while the log grows tenfold."""
SMALL, LARGE = 300_000, 3_000_000
"""Impressions of the two runs."""
_FEW_EPOCHS = ("trainer.epochs=2", "trainer.min_steps=1")
"""Of the larger run, whose memory is asked for: it does not depend on the epochs."""


@dataclass(frozen=True)
class Run:
    """Wall seconds and peak resident memory (MiB) of the driver's Python process and of the JVM."""

    seconds: float
    python_mib: float
    jvm_mib: float


def measure() -> list[Result]:
    """Run the chain at both sizes, each in an empty warehouse."""
    small, large = run_nightly(SMALL), run_nightly(LARGE, *_FEW_EPOCHS)
    growth = large.python_mib / small.python_mib
    return [
        Result(
            f"nightly, {SMALL:,} impressions",
            f"{small.seconds:.0f} s",
            f"< {TIME_LIMIT_S:.0f} s",
            small.seconds < TIME_LIMIT_S,
        ),
        Result(
            f"driver memory, {LARGE:,} over {SMALL:,} impressions",
            f"{growth:.2f} (Python {small.python_mib:.0f} -> {large.python_mib:.0f} MiB, "
            f"JVM {small.jvm_mib:.0f} -> {large.jvm_mib:.0f} MiB, {large.seconds:.0f} s)",
            f"< {GROWTH_LIMIT} (Python), same heap",
            growth < GROWTH_LIMIT,
        ),
    ]


def run_nightly(impressions: int, *settings: str) -> Run:
    """Run the chain once at a size, with further conf settings; raises CalledProcessError where it
    fails."""
    with tempfile.TemporaryDirectory(prefix="counterpoise-bench-") as folder:
        command = [
            *(sys.executable, "-m", "jobs.command.cli", "nightly"),
            *("--conf", str(SIMULATED)),
            *("--set", f"storage.root={Path(folder) / 'warehouse'}"),
            *("--set", f"source.impressions={impressions}"),
            *(part for setting in settings for part in ("--set", setting)),
        ]
        return watch_run(command)


def watch_run(command: Sequence[str]) -> Run:
    """Run a command to its end and record its time and peaks."""
    peaks = {"python": 0.0, "jvm": 0.0}
    started = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    done = threading.Event()
    watcher = threading.Thread(target=_watch_memory, args=(process.pid, peaks, done))
    watcher.start()
    code = process.wait()
    done.set()
    watcher.join()
    if code:
        raise subprocess.CalledProcessError(code, command)
    return Run(time.monotonic() - started, peaks["python"], peaks["jvm"])


def _watch_memory(pid: int, peaks: dict[str, float], done: threading.Event) -> None:
    driver = psutil.Process(pid)
    while not done.wait(0.5):
        try:
            peaks["python"] = max(peaks["python"], driver.memory_info().rss / MIB)
            for child in driver.children():
                if child.name() == "java":
                    peaks["jvm"] = max(peaks["jvm"], child.memory_info().rss / MIB)
        except psutil.Error:
            return
