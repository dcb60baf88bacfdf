"""Who committed what to a Delta table, from the user metadata that the warehouse writes."""

from collections.abc import Collection

from delta.tables import DeltaTable
from pyspark.sql import Column
from pyspark.sql import functions as F

_RECENT = 50
"""Commits that are looked through for one that was made a moment ago."""


def version_without(table: DeltaTable, jobs: Collection[str]) -> int | None:
    """Latest version that others than these jobs wrote; None where nobody did."""
    written = F.col("operation") != "CREATE TABLE"
    by_others = ~F.coalesce(_said("job"), F.lit("")).isin(*jobs)
    others = table.history().where(written & by_others)
    found = others.agg(F.max("version").alias("version")).collect()[0]["version"]
    return None if found is None else int(found)


def commits(table: DeltaTable, job: str, after: int) -> int:
    """Commits of a job since a version."""
    return int(table.history().where((_said("job") == job) & (F.col("version") > after)).count())


def commit_of(table: DeltaTable, after: int, commit: str) -> tuple[int, int] | None:
    """Rows and version of the append that carries this mark after a version; None: no such."""
    ours = _said("commit") == commit
    recent = table.history(_RECENT).where((F.col("version") > after) & ours)
    row = recent.select("version", "operationMetrics").first()
    if row is None:
        return None
    return int(row["operationMetrics"].get("numOutputRows", 0)), int(row["version"])


def _said(name: str) -> Column:
    return F.get_json_object("userMetadata", f"$.{name}")
