"""Keeps when each event of a log row was first known, however often the row is sent again.

A row of the log grows: the page is shown, later the click is known, then the cart, then the
purchase, and a source sends the row again each time, or every night. Features of a day may use what
was known before it, so an event must not become younger because its row was sent again. So every
version of a row counts, and each event keeps the earliest of its times.
"""

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from features.contracts import IMPRESSIONS

EVENTS = ("clicked", "carted", "purchased")
KNOWN = {event: f"{event}_known_at" for event in EVENTS}
TIMES = {"carted": "carted_at", "purchased": "purchased_at"}
WITHDRAWN = "_withdrawn"
"""Events of a row that earlier versions had and the last one lacks (count)."""

_EARLIER = "_earlier"


def times_of(event: str) -> list[str]:
    """List the columns of an event's own times, each null where the row does not tell it."""
    return [KNOWN[event], *([TIMES[event]] if event in TIMES else [])]


def first_known(event: str) -> Column:
    """Return when an event that happened was first known (timestamp).

    Where it has no time of its own, it came with the row, or when it happened if that was later.
    """
    with_row = F.greatest("known_at", TIMES[event]) if event in TIMES else F.col("known_at")
    return F.coalesce(F.col(KNOWN[event]), with_row)


def with_events_known(rows: DataFrame) -> DataFrame:
    """Fill the time at which each event was known; null where the event did not happen."""
    return rows.withColumns({KNOWN[e]: F.when(F.col(e), first_known(e)) for e in EVENTS})


def over_versions(
    rows: DataFrame, keys: Sequence[str], version: Column, last: Column, keep: bool
) -> DataFrame:
    """Merge all versions of a row in one delivery into the last one.

    Args:
        rows: of `with_events_known`; the versions of a row share its key.
        keys: columns that name a row.
        version: which rows are versions; the others are broken in some way (boolean).
        last: which of them is the last one of its key (boolean).
        keep: whether an event that the last version lacks stays.
    """
    of_key = Window.partitionBy(*keys)

    def find_earliest(column: str, happened: Column) -> Column:
        return F.min(F.when(version & happened, F.col(column))).over(of_key).alias(column)

    earlier = [find_earliest("known_at", F.lit(True))]
    for event in EVENTS:
        happened = F.col(event)
        earlier.append(F.max(version & happened).over(of_key).alias(event))
        earlier += [find_earliest(name, happened) for name in times_of(event)]
    seen = F.when(last, F.struct(*earlier))
    return rows.withColumn(_EARLIER, seen).transform(_merge_versions, keep).drop(WITHDRAWN)


def over_runs(new: DataFrame, stored: DataFrame, keep: bool) -> DataFrame:
    """Merge each new row with its version that earlier runs stored; one row per new row.

    Args:
        new: rows of impressions, unique by key, of `with_events_known`.
        stored: rows of the table impressions; those of other keys do not matter.
        keep: whether an event that the new row lacks stays.

    Returns:
        The columns of `new`, and WITHDRAWN.
    """
    columns = ["known_at", *EVENTS, *KNOWN.values(), *TIMES.values()]
    earlier = stored.transform(with_events_known).select(
        *IMPRESSIONS.key, F.struct(*columns).alias(_EARLIER)
    )
    joined = new.join(earlier, on=list(IMPRESSIONS.key), how="left")
    return joined.transform(_merge_versions, keep).select(*new.columns, WITHDRAWN)


def _merge_versions(rows: DataFrame, keep: bool) -> DataFrame:
    """Merge the struct of earlier versions: the last version's events, and the earliest times."""
    seen = ("known_at", *KNOWN.values())
    columns = {"known_at": F.least(*seen, *(f"{_EARLIER}.{name}" for name in seen))}
    withdrawn = F.lit(0)
    for event in EVENTS:
        earlier, now = F.col(f"{_EARLIER}.{KNOWN[event]}"), F.col(KNOWN[event])
        gone = F.coalesce(F.col(f"{_EARLIER}.{event}"), F.lit(False)) & ~F.col(event)
        stays = gone & F.lit(keep)
        withdrawn += gone.cast("int")
        columns[event] = F.col(event) | stays
        columns[KNOWN[event]] = F.when(F.col(event), F.least(now, earlier)).when(stays, earlier)
        if event in TIMES:
            at = F.col(TIMES[event])
            columns[TIMES[event]] = F.when(stays, F.col(f"{_EARLIER}.{TIMES[event]}")).otherwise(at)
    return rows.withColumns(columns | {WITHDRAWN: withdrawn}).drop(_EARLIER)
