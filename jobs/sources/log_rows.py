"""The rows of the log that a run writes: each event with the first time that any run knew it."""

from pyspark.sql import DataFrame, Observation
from pyspark.sql import functions as F

from features.contracts import IMPRESSIONS
from features.first_known import WITHDRAWN, over_runs
from jobs.platform.warehouse import Warehouse


def with_first_known(
    warehouse: Warehouse, rows: DataFrame, days: str
) -> tuple[DataFrame, Observation | None]:
    """The checked rows of an open source beside what earlier runs stored of them.

    Args:
        rows: checked impressions, unique by key.
        days: SQL over the table impressions for the days that the run replaces.

    Returns:
        One row a row given, and the observation of how many events were withdrawn (count), filled
        when the rows are written; None: nothing was stored yet.
    """
    if not warehouse.exists(IMPRESSIONS):
        return rows, None
    conf = warehouse.conf
    keep = conf.tree.ingest.withdrawn_events == "keep"
    stored = warehouse.read(IMPRESSIONS).where(days)
    merged = over_runs(rows, stored, keep)
    seen = Observation(WITHDRAWN)
    return merged.observe(seen, F.sum(WITHDRAWN).alias(WITHDRAWN)), seen


def note_withdrawn(warehouse: Warehouse, seen: Observation | None) -> None:
    """Tell how many events the source has no more, once the rows are written."""
    count = int(seen.get[WITHDRAWN] or 0) if seen is not None else 0
    if count:
        rule = warehouse.conf.tree.ingest.withdrawn_events
        done = {"keep": "kept", "remove": "removed"}[rule]
        warehouse.report.notes.append(
            f"{IMPRESSIONS.name}: {count} clicks, carts or purchases that the source has no more "
            f"are {done} (ingest.withdrawn_events: {rule})"
        )
