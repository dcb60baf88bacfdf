"""Inserts decisions on what may serve: none is ever changed, each is made on the newest state.

A table of decisions has one row per decision, its key is `decision_no` (from 1 upwards), and the
last decision on a thing holds. Use it for any such table:

    def make(number: int) -> Row | None:
        state = ...  # read the decisions as they are now, judge, then
        return {"decision_no": number, "decision": "admitted", ...}  # or None: nothing to decide

    row = decide(warehouse, MODEL_DECISIONS, make)

A decision that another run inserted while `make` was judging makes it judge again: an admission can
neither overwrite a revocation nor rest on a state from before it.
"""

from collections.abc import Callable
from typing import Any

from pyspark.sql import functions as F

from features.contracts import Table
from jobs.delta.commits import RivalRunError
from jobs.platform.warehouse import Warehouse

Row = dict[str, Any]

_TRIES = 5
"""Decisions are made by hand or once per night: more that come first in a row are a fault."""


def insert_decision(
    warehouse: Warehouse, table: Table, make: Callable[[int], Row | None]
) -> Row | None:
    """Insert the row that `make` returns for the next free number, and return it.

    Args:
        make: gets the number; is called again, with another one, where that number was taken
            meanwhile. It reads all that it judges by itself. None: there is nothing to decide.

    Raises:
        RivalRunError: other decisions came first in each of the tries.
    """
    number = 0
    for _ in range(_TRIES):
        number = max(number, _last_number(warehouse, table)) + 1
        row = make(number)
        if row is None:
            return None
        frame = table.local_frame(warehouse.spark, [row])
        try:
            warehouse.append(table, frame, f"decisions/{table.name}", number)
        except RivalRunError:
            continue
        return row
    raise RivalRunError(
        f"table {table.name}: other decisions came first {_TRIES} times; let one run decide"
    )


def _last_number(warehouse: Warehouse, table: Table) -> int:
    if not warehouse.exists(table):
        return 0
    last = warehouse.read(table).agg(F.max("decision_no").alias("last")).collect()[0]["last"]
    return int(last or 0)
