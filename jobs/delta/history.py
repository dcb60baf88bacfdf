"""Who committed what to a Delta table, from the user metadata that the warehouse writes."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from delta.tables import DeltaTable
from pyspark.sql import Row

from jobs.command.version import code_version
from jobs.platform.report import JobReport

_LOOKS = (1, 50, None)
"""Newest commits that Spark is asked for, in turn; None: all. Mostly the newest one is wanted, and
the log of a table is long."""

_RIVAL = re.compile(
    r"DELTA_CONCURRENT_|io\.delta\.(concurrent|exceptions)\.|DELTA_METADATA_CHANGED"
)
"""What Delta says of a commit that another one has overtaken, in Python's words or in Java's."""


@dataclass(frozen=True)
class Commit:
    """One commit of a table.

    Attributes:
        version: of the table, as the commit left it.
        operation: Delta's name of it, e.g. WRITE, MERGE, OPTIMIZE.
        metrics: Delta's figures, e.g. numOutputRows.
        metadata: the user metadata of our writes (name, job, run_date, ...); empty for others'.
    """

    version: int
    operation: str
    metrics: Mapping[str, str]
    metadata: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The name that our writer gave it; "" for a commit of others."""
        return str(self.metadata.get("commit", ""))

    @property
    def rows(self) -> int:
        """Rows that it wrote, those of rewritten files among them (count)."""
        return int(self.metrics.get("numOutputRows", 0))


@dataclass(frozen=True)
class Written:
    """Outcome of a write: rows given and the table version that holds them (-1: dry run)."""

    rows: int
    version: int


def commits_by_spark(table: DeltaTable) -> Iterator[Commit]:
    """Give the commits on record, the newest first: those of the days that the log is kept."""
    seen = 0
    for look in _LOOKS:
        history = table.history() if look is None else table.history(look)
        rows = history.select("version", "operation", "operationMetrics", "userMetadata").collect()
        yield from map(_read_commit, rows[seen:])
        seen = len(rows)
        if look is None or seen < look:
            return


def commit_named(commits: Iterable[Commit], name: str) -> Commit | None:
    """Find the commit that our writer gave this name, if there is one; later ones may follow it."""
    return next((commit for commit in commits if commit.name == name), None)


def is_overtaken(error: Exception) -> bool:
    """Return whether Delta refused a commit because another one came first:
    trying again can help.
    """
    return bool(_RIVAL.search(f"{type(error).__module__}.{error}"))


def _read_commit(row: Row) -> Commit:
    return Commit(
        int(row["version"]),
        str(row["operation"]),
        row["operationMetrics"] or {},
        parse_metadata(row["userMetadata"]),
    )


def build_metadata(report: JobReport, **more: Any) -> str:
    """Write the user metadata of a commit: which job of which run made it, by which code."""
    ours = {
        "job": report.job,
        "run_date": report.run_date,
        "conf_hash": report.conf_hash,
        "code_version": code_version(),
    }
    return json.dumps({**more, **ours})


def parse_metadata(metadata: str | None) -> Mapping[str, Any]:
    """Read the user metadata of a commit where it is one of ours, a JSON object; else nothing."""
    try:
        content = json.loads(metadata or "{}")
    except json.JSONDecodeError:
        return {}
    return content if isinstance(content, dict) else {}
