"""Writes the tasks of databricks.yml: one task per step of the chain, so that steps retry alone.

    python -m jobs.platform.bundle databricks.yml      (`make bundle`)

Everything after the line MARK is replaced. A task depends on the steps that make what it reads, and
on the step before it: one run at a time owns a root and run date.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from jobs.platform.job import Job
from jobs.registry import CHAIN, load_job

MARK = "      tasks: # written by `make bundle`"
LIBRARIES = [{"whl": "./dist/*.whl"}, {"requirements": "./requirements-databricks.txt"}]
RETRIES = 1
"""A task that failed for a lost machine or network passes on the second try; a bug does not."""
RETRY_WAIT = 60_000
"""Before the second try: longer than a hiccup of the network, nothing beside a night (ms)."""


class ChainOrderError(ValueError):
    """A step of the chain comes before one that makes what it reads."""


def needed_steps(job: Job, chain: Sequence[Job]) -> list[str]:
    """Name the steps before the job that make what it reads, and the one before it.

    Raises:
        ChainOrderError: only later steps make what it must have.
    """
    at = list(chain).index(job)
    before, after = chain[:at], chain[at + 1 :]
    must_have = _list_reads(job) - {table.name for table in job.may_lack}
    late = {name for other in after for name in _list_makes(other)}
    missing = must_have & late - {name for other in before for name in _list_makes(other)}
    if missing:
        raise ChainOrderError(f"step {job.name} reads {sorted(missing)}, which later steps make")
    return [o.name for o in before if _list_makes(o) & _list_reads(job) or o is before[-1]]


def bundle_tasks(chain: Sequence[Job]) -> list[dict[str, Any]]:
    """Write the tasks of the chain as the bundle wants them.

    Raises:
        ChainOrderError: a step comes before all that make what it must have.
    """
    tasks: list[dict[str, Any]] = []
    for job in chain:
        task: dict[str, Any] = {"task_key": job.name, "description": job.summary}
        if needs := needed_steps(job, chain):
            task["depends_on"] = [{"task_key": name} for name in needs]
        tasks.append(task | _describe_work(job))
    return tasks


def with_tasks(text: str, chain: Sequence[Job]) -> str:
    """Put the tasks of this chain after the line MARK in the text of databricks.yml.

    Raises:
        ValueError: the text has no such line.
    """
    head, mark, _ = text.partition(MARK)
    if not mark:
        raise ValueError(f"the bundle has no line {MARK.strip()!r}")
    lines = yaml.safe_dump(bundle_tasks(chain), sort_keys=False, width=100).splitlines()
    return "\n".join([head + mark, *(f"        {line}" for line in lines)]) + "\n"


def _describe_work(job: Job) -> dict[str, Any]:
    """Describe what a task does, with which libraries, and how often it is tried."""
    parameters = ["nightly", "--only", job.name, "--conf", "${var.conf}"]
    return {
        "job_cluster_key": "chain",
        "python_wheel_task": {
            "package_name": "counterpoise",
            "entry_point": "counterpoise",
            "parameters": [*parameters, "--run-date", "{{job.parameters.run_date}}"],
        },
        "libraries": [dict(library) for library in LIBRARIES],
        "max_retries": RETRIES,
        "min_retry_interval_millis": RETRY_WAIT,
    }


def _list_reads(job: Job) -> set[str]:
    return {*(table.name for table in job.reads), *job.artifacts_in}


def _list_makes(job: Job) -> set[str]:
    return {*(table.name for table in job.writes), *job.artifacts_out}


def main(argv: Sequence[str] | None = None) -> None:
    """Write the tasks into the bundle that is named."""
    (name,) = sys.argv[1:] if argv is None else argv
    path = Path(name)
    text = with_tasks(path.read_text(encoding="utf-8"), [load_job(step) for step in CHAIN])
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
