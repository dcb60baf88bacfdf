"""Tells how many cores a process may use."""

import os


def count_cores() -> int:
    """Count the cores of this process: of a machine that a container or taskset shares, only a
    part."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
