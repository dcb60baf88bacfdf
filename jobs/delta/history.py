"""Who committed what to a Delta table, from the user metadata that the warehouse writes."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from delta.tables import DeltaTable
from pyspark.sql import Column, Row
from pyspark.sql import functions as F

_LOOKS = (1, 50, None)
"""Newest commits that are looked through for one of a name; None: all. It is the newest one unless
somebody else wrote meanwhile, and the log of a table is long."""

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


def last_commit(table: DeltaTable) -> Commit | None:
    """The newest commit."""
    return next(_newest(table, 1), None)


def commit_named(table: DeltaTable, name: str) -> Commit | None:
    """The commit that our writer gave this name, wherever later commits left it; None: no such."""
    for look in _LOOKS:
        found = next((commit for commit in _newest(table, look) if commit.name == name), None)
        if found is not None:
            return found
    return None


def commits_of(table: DeltaTable) -> list[Commit]:
    """All commits on record, newest first: those of the days that the table's log is kept."""
    return list(_newest(table, None))


def commits(table: DeltaTable, job: str, after: int) -> int:
    """Commits of a job since a version."""
    return int(table.history().where((_said("job") == job) & (F.col("version") > after)).count())


def is_overtaken(error: Exception) -> bool:
    """Whether Delta refused a commit because another one came first: trying again can help."""
    return bool(_RIVAL.search(f"{type(error).__module__}.{error}"))


def _newest(table: DeltaTable, count: int | None) -> Iterator[Commit]:
    """So many of the newest commits; the log keeps a bounded number of days of them."""
    history = table.history() if count is None else table.history(count)
    rows = history.select("version", "operation", "operationMetrics", "userMetadata").collect()
    yield from map(_commit, rows)


def _commit(row: Row) -> Commit:
    return Commit(
        int(row["version"]),
        str(row["operation"]),
        row["operationMetrics"] or {},
        _parse_metadata(row["userMetadata"]),
    )


def _parse_metadata(metadata: str | None) -> Mapping[str, Any]:
    """The user metadata where it is one of ours: a JSON object."""
    try:
        content = json.loads(metadata or "{}")
    except json.JSONDecodeError:
        return {}
    return content if isinstance(content, dict) else {}


def _said(name: str) -> Column:
    return F.get_json_object("userMetadata", f"$.{name}")
