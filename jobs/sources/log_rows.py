"""The rows of the log that a run writes: each event with the first time that any run knew it."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from features.contracts import IMPRESSIONS
from features.log.first_known import WITHDRAWN, over_runs
from jobs.platform.warehouse import Warehouse


def with_first_known(warehouse: Warehouse, rows: DataFrame, days: str) -> DataFrame:
    """Merge the checked rows of an open source with what earlier runs stored of them.

    Args:
        rows: checked impressions, unique by key.
        days: SQL over the table impressions for the days that the run reads.

    Returns:
        One row per given row; where rows were stored, with the column WITHDRAWN: events that the
        source no longer has (count).
    """
    if not warehouse.exists(IMPRESSIONS):
        return rows
    keep = warehouse.conf.tree.ingest.withdrawn_events == "keep"
    return over_runs(rows, warehouse.read(IMPRESSIONS).where(days), keep)


def note_withdrawn(warehouse: Warehouse, rows: DataFrame) -> None:
    """Note how many events of the rows of `with_first_known` the source no longer has."""
    if WITHDRAWN not in rows.columns:
        return
    count = rows.agg(F.sum(WITHDRAWN).alias(WITHDRAWN)).collect()[0][WITHDRAWN] or 0
    if count:
        rule = warehouse.conf.tree.ingest.withdrawn_events
        done = {"keep": "kept", "remove": "removed"}[rule]
        warehouse.report.notes.append(
            f"{IMPRESSIONS.name}: {count} clicks, carts or purchases that the source no longer has "
            f"are {done} (ingest.withdrawn_events: {rule})"
        )
