"""Looks up the values of own features as of a day."""

from collections.abc import Sequence
from functools import reduce

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from conf.schema import Conf
from conf.sections.features import OwnTable
from features.own.checks import ANY, parse_number, select_text
from features.own.declared import VALUES
from features.spine import ITEM_KEYS, PAIR_KEYS, QUERY_KEYS
from features.text.texts import text_key

KEYS = {"query": QUERY_KEYS, "item": ITEM_KEYS, "query_item": PAIR_KEYS}
_STORED_AS = {"query_id": "query", "query_text": "query", "item_id": "item_id", "region": "region"}
"""Columns of own_values that hold each column of a key."""


def find_own_values(
    level: str, spine: DataFrame, queries: DataFrame, values: DataFrame, conf: Conf
) -> DataFrame | None:
    """Give the own features of one feature table; None where conf has none of that level.

    Args:
        level: query, item or query_item.
        spine: query_id, item_id, region, day.
        queries: query_id, query_text.
        values: rows of own_values.

    Returns:
        The keys of KEYS[level], `day` among them, and `own` (VALUES), what is known as of that
        day; one row per key.
    """
    tables = {name: t for name, t in conf.features.own.items() if t.level == level}
    if not tables:
        return None
    keys = list(KEYS[level])
    asked = spine.select(*dict.fromkeys([*keys, "region"])).distinct()
    if level != "item":
        texts = queries.select("query_id", text_key(F.col("query_text")).alias("query_text"))
        asked = asked.join(texts, on="query_id", how="left")
    answers = [
        _find_newest(asked, keys, values.where(F.col("dataset") == name), table, conf)
        for name, table in tables.items()
    ]
    own = [F.col(f"answer_{n}") for n in range(len(answers))]
    named = [a.withColumnRenamed("own", f"answer_{n}") for n, a in enumerate(answers)]
    joined = reduce(lambda one, other: one.join(other, on=keys, how="inner"), named)
    return joined.select(*keys, F.map_concat(*own).alias("own"))


def _find_newest(
    asked: DataFrame, keys: Sequence[str], values: DataFrame, table: OwnTable, conf: Conf
) -> DataFrame:
    """Find the keys and `own`: the values of the newest row whose first day is not later.

    Values and asked days of a key stand in one window in the order of days, so that each row is
    read once, however many days are asked for. Of one day the values come before the question.
    Rows of an earlier conf that had more columns in the key are none of this one.
    """
    on = [_STORED_AS[name] for name in table.key]
    others = [F.col(c) == ANY for c in dict.fromkeys(_STORED_AS.values()) if c not in on]
    wanted = asked.withColumns({_STORED_AS[name]: F.col(name) for name in table.key})
    row = F.struct("as_of_date", _build_numbers(table, conf).alias("own"))
    given = values.where(reduce(Column.__and__, others, F.lit(True))).select(
        *on, F.col("as_of_date").alias("day"), F.lit(False).alias("is_asked"), row.alias("newest")
    )
    days = wanted.select(*on, "day", F.lit(True).alias("is_asked")).distinct()
    window = Window.partitionBy(*on).orderBy("day", "is_asked")
    newest = F.last("newest", ignorenulls=True).over(window)
    answered = (
        given.unionByName(days, allowMissingColumns=True)
        .withColumn("newest", newest)
        .where("is_asked")
        .select(*on, "day", _select_fresh(table).alias("own"))
    )
    return wanted.join(answered, on=[*on, "day"], how="left").select(
        *keys, F.coalesce("own", F.create_map().cast(VALUES)).alias("own")
    )


def _select_fresh(table: OwnTable) -> Column:
    """Take the values of the newest row, unless it is too old."""
    own = F.col("newest.own")
    if table.max_age_days is None:
        return own
    age = F.date_diff("day", F.col("newest.as_of_date"))
    return F.when(age <= table.max_age_days, own)


def _build_numbers(table: OwnTable, conf: Conf) -> Column:
    """Turn the values into numbers by feature; those that are not given are left out."""
    buckets = conf.features.hash_buckets
    entries = [
        part
        for name, feature in table.features.items()
        for part in (F.lit(name), parse_number(select_text(name), feature, buckets))
    ]
    given = F.map_filter(F.create_map(*entries), lambda _, value: value.isNotNull())
    return given.cast(VALUES)
