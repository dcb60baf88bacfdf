"""What a table lacks of new rows, so that only that is written, and whether they belong there."""

from functools import reduce
from operator import and_, or_

from delta.tables import DeltaTable
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from features.contracts import Table

CHANGE = "_change"
INSERT, UPDATE, DELETE, SAME = "insert", "update", "delete", "same"
_THERE, _GIVEN, _PRUNED = "_there", "_given", "_pruned"


def find_changes(
    table: Table, stored: DataFrame, rows: DataFrame, *, update: bool, prune: str | None
) -> DataFrame:
    """Return one row per new row and per row to delete: the contract's columns and what is to be
    done.

    Args:
        table: the contract.
        stored: the table as it is.
        rows: new rows, unique by the table's key.
        update: whether a stored row of the same key is changed to the new one.
        prune: SQL over the table: such rows without a new row are deleted.

    Returns:
        The columns of the table and CHANGE: INSERT, UPDATE, DELETE or SAME. Of a row that is the
        same, or to be deleted, only the key is filled.
    """
    old = stored.select(
        *(F.col(name).alias(_name_old(name)) for name in table.column_names),
        F.expr(prune or "false").alias(_PRUNED),
        F.lit(True).alias(_THERE),
    )
    on_key = reduce(and_, (F.col(key) == F.col(_name_old(key)) for key in table.key))
    given = rows.withColumn(_GIVEN, F.lit(True))
    joined = given.join(old, on=on_key, how="left" if prune is None else "full_outer")
    compared = joined.withColumn(CHANGE, _decide_change(table, update)).where(
        F.col(CHANGE).isNotNull()
    )
    return compared.select(*(_pick_value(table, name) for name in table.column_names), CHANGE)


def merge_changes(target: DeltaTable, table: Table, changes: DataFrame, update: bool) -> None:
    """Merge the rows of `find_changes`; of a key that a rival inserted meanwhile, ours holds."""
    condition = " AND ".join(f"t.`{key}` = s.`{key}`" for key in table.key)
    deleted = f"s.`{CHANGE}` = '{DELETE}'"
    merge = target.alias("t").merge(changes.alias("s"), condition).whenMatchedDelete(deleted)
    if update:
        merge = merge.whenMatchedUpdateAll(f"NOT ({deleted})")
    merge.whenNotMatchedInsertAll(f"NOT ({deleted})").execute()


def content_hash(df: DataFrame) -> tuple[int, int, int]:
    """Count, sum and exclusive or of the rows' hashes: equal for equal rows in any order."""
    hashed = df.select(F.xxhash64(*df.columns).alias("hash"))
    wide = F.sum(F.col("hash").cast("decimal(20,0)"))
    hashes = hashed.agg(F.count("*"), wide, F.bit_xor("hash")).collect()[0]
    return int(hashes[0]), int(hashes[1] or 0), int(hashes[2] or 0)


def hold_to(where: str, rows: DataFrame) -> DataFrame:
    """Let a write of the rows fail at one that does not satisfy `where`.

    The check is part of a column that is written: Spark would move a filter below joins, to rows
    that are not.
    """
    column = rows.schema[0]
    refused = F.raise_error(F.lit(f"a row to be written does not satisfy {where}"))
    held = F.when(F.expr(where), F.col(column.name)).otherwise(refused.cast(column.dataType))
    return rows.withColumn(column.name, held)


def _decide_change(table: Table, update: bool) -> Column:
    """Decide what is to be done with a joined row; null for one of the table's
    that stays as it is.
    """
    others = [name for name in table.column_names if name not in table.key]
    differs = [~F.col(name).eqNullSafe(F.col(_name_old(name))) for name in others]
    changed = reduce(or_, differs, F.lit(False)) if update else F.lit(False)
    return (
        F.when(F.col(_GIVEN).isNull(), F.when(F.col(_PRUNED), DELETE))
        .when(F.col(_THERE).isNull(), INSERT)
        .when(changed, UPDATE)
        .otherwise(SAME)
    )


def _pick_value(table: Table, name: str) -> Column:
    if name in table.key:
        return F.coalesce(F.col(name), F.col(_name_old(name))).alias(name)
    return F.when(F.col(CHANGE).isin(INSERT, UPDATE), F.col(name)).alias(name)


def _name_old(name: str) -> str:
    return f"_old_{name}"
