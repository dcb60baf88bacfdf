"""Rules across rows: duplicate keys, conflicting grades, references to another table."""

from collections.abc import Sequence

from pyspark.sql import DataFrame, Window, WindowSpec
from pyspark.sql import functions as F

from features.contracts import Table
from features.quality.rule import RULE, Rule, judge_rows

DUPLICATE = "duplicate_key"
OLDER = "older_version"
"""A row that was sent again, later, with more known: nothing is wrong with it."""

SALT = "_salt"
_KNOWN = "_known"
_SAME = "_same"
_TURN = "_turn"
_NEWEST = "_newest"
_LOW = "_low"
_HIGH = "_high"


def judge_references(
    df: DataFrame, rule: str, referred: DataFrame, key: str, place: str, same: str | None = None
) -> DataFrame:
    """Judge rows whose `key` is not among the rows of `referred`, which is unique by `key`.

    With `same`, rows whose value of that column is not the one of the row referred to fail too.
    A left join to a narrow frame: the reference is unique, so no row is made; a head key makes the
    many side skewed, which adaptive execution splits (it may split the left side of a left join).
    """
    shared = [F.col(same).alias(_SAME)] if same else []
    reference = referred.select(key, F.lit(True).alias(_KNOWN), *shared)
    unknown = F.col(key).isNotNull() & F.col(_KNOWN).isNull()
    failure = F.when(unknown, F.concat(F.lit(f"{key} "), F.col(key), F.lit(f" is not in {place}")))
    rules = [Rule(rule, failure)]
    if same:
        what = F.concat(F.lit(f"{same} is "), F.col(_SAME), F.lit(f" in {place}"))
        rules.append(Rule(f"{same}_differs", F.when(F.col(same) != F.col(_SAME), what)))
    return df.join(reference, on=key, how="left").transform(judge_rows, rules).drop(_KNOWN, _SAME)


def judge_duplicates(df: DataFrame, table: Table, newest: Sequence[str] = ()) -> DataFrame:
    """Judge all rows of a key but one, so that what passes is unique by the table's key.

    Of the rows that break no other rule, the one that is latest by the `newest` columns is kept;
    ties are broken by the values of all columns, so that order and partitioning never matter. The
    other rows are OLDER where their `newest` columns differ from those of the kept row, else
    DUPLICATE.
    """
    order = [F.col(RULE).isNull().desc(), *(F.col(name).desc_nulls_last() for name in newest)]
    window = _by_key(table).orderBy(*order, *table.column_names)
    version = F.struct(*newest) if newest else F.lit(0)
    added = {_TURN: F.row_number().over(window), _NEWEST: F.first(version).over(window)}
    repeated = F.col(RULE).isNull() & (F.col(_TURN) > 1)
    older = ~version.eqNullSafe(F.col(_NEWEST))
    key = F.concat_ws(" | ", *table.key)
    newer = F.concat(F.lit("a newer row of this key is kept: "), key)
    another = F.concat(F.lit("another row of this key is kept: "), key)
    rules = [
        Rule(OLDER, F.when(repeated & older, newer)),
        Rule(DUPLICATE, F.when(repeated & ~older, another)),
    ]
    return (
        _spread_null_keys(df, table)
        .withColumns(added)
        .transform(judge_rows, rules)
        .drop(_TURN, _NEWEST)
    )


def judge_conflicts(df: DataFrame, table: Table, value: str) -> DataFrame:
    """Judge all rows of a key whose rows (those that break no other rule) differ in `value`."""
    window = _by_key(table)
    fit = F.when(F.col(RULE).isNull(), F.col(value))
    bounds = {_LOW: F.min(fit).over(window), _HIGH: F.max(fit).over(window)}
    differs = F.col(RULE).isNull() & (F.col(_LOW) != F.col(_HIGH))
    what = F.concat(
        F.lit(f"{value}s from "), F.col(_LOW), F.lit(" to "), F.col(_HIGH), F.lit(" for one key")
    )
    rule = Rule(f"conflicting_{value}s", F.when(differs, what))
    return (
        _spread_null_keys(df, table)
        .withColumns(bounds)
        .transform(judge_rows, [rule])
        .drop(_LOW, _HIGH)
    )


def _by_key(table: Table) -> WindowSpec:
    return Window.partitionBy(*table.key, SALT)


def _spread_null_keys(df: DataFrame, table: Table) -> DataFrame:
    """Spread the rows of a null key, which break a rule of their own, over the tasks.

    The column stays, so that two windows over the same key need one shuffle.
    """
    if SALT in df.columns:
        return df
    key = F.concat(*(F.col(name).cast("string") for name in table.key))
    return df.withColumn(SALT, F.when(key.isNull(), F.xxhash64(*table.column_names)))
