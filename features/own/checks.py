"""Brings the rows of a team's own table into one form, and judges them."""

from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StringType

from conf.schema import Conf
from conf.sections.features import OwnFeature, OwnTable
from features.contracts import OWN_VALUES
from features.quality.rule import Rule, all_failures
from features.quality.tables import checked_rows
from features.quality.typed import MALFORMED, quote_value, try_cast
from features.quality.values import require_member
from features.text.texts import hashed_category, text_key

ANY = "*"
"""In a column of the key that a table does not have: its values hold for all of them."""
LATE = "as_of_after_run_date"
"""Rule of values that may be used only after the run date: a later run brings them in."""

_INFINITE = float("inf")
"""What a number beyond the range of 32 bits becomes."""
_SPARK_TYPES = {"float": "double", "int": "long", "boolean": "boolean"}


def bring_to_common_form(rows: DataFrame, name: str, table: OwnTable) -> DataFrame:
    """Make rows of own_values, unchecked, from rows that have our names of key, day and features.

    Args:
        rows: columns of the key, `as_of` and the features, under the names that they have here.
        name: of the table in conf `features.own`.

    Returns:
        The columns of own_values; `values` holds as text what is given, without blank values.
    """
    given = F.create_map(
        *(part for f in table.features for part in (F.lit(f), F.col(f).cast("string")))
    )
    filled = F.map_filter(given, lambda _, value: F.length(F.trim(value)) > 0)
    malformed = [F.col(MALFORMED)] if MALFORMED in rows.columns else []
    return rows.select(
        F.lit(name).alias("dataset"),
        _query_part(table).alias("query"),
        _key_part("item_id", table).alias("item_id"),
        _key_part("region", table).alias("region"),
        _find_first_day(rows).alias("as_of_date"),
        F.to_json(filled).alias("values"),
        *malformed,
    )


def check_values(raw: DataFrame, table: OwnTable, conf: Conf, run_date: date) -> DataFrame:
    """Judge the rows of one own table; of one key and day one row passes.

    Args:
        raw: of `bring_to_common_form`.
    """
    rules = [_wrong_type(table), _rule_on_days(run_date)]
    if "region" in table.key:
        rules.insert(0, require_member("unknown_region", "region", conf.regions, "conf regions"))
    return checked_rows(raw, OWN_VALUES, conf, rules)


def parse_number(text: Column, feature: OwnFeature, buckets: int) -> Column:
    """Read a feature's value (float) from its text, of a category its id; null where it is none."""
    if feature.dtype == "category":
        return hashed_category(text, buckets).cast("float")
    return try_cast(text, StringType(), _SPARK_TYPES[feature.dtype]).cast("float")


def select_text(name: str) -> Column:
    """Take the text of a feature out of the column `values`; null where it is not given."""
    return F.get_json_object("values", f"$.{name}")


def _query_part(table: OwnTable) -> Column:
    if "query_text" not in table.key:
        return _key_part("query_id", table)
    return text_key(F.col("query_text").cast("string"))


def _key_part(column: str, table: OwnTable) -> Column:
    return F.col(column).cast("string") if column in table.key else F.lit(ANY)


def _find_first_day(rows: DataFrame) -> Column:
    """Find the first day on which a row's values may be used: after a time within a day, the next.

    What is no time stays as it is, for the rule on types to name.
    """
    moment = try_cast(F.col("as_of"), rows.schema["as_of"].dataType, "timestamp")
    day = F.to_date(moment)
    usable_from = F.when(moment > day, F.date_add(day, 1)).otherwise(day)
    return F.coalesce(usable_from.cast("string"), F.col("as_of").cast("string"))


def _wrong_type(table: OwnTable) -> Rule:
    failures = []
    for name, feature in table.features.items():
        if feature.dtype == "category":
            continue
        text = select_text(name)
        value = parse_number(text, feature, 0)
        wrong = text.isNotNull() & (value.isNull() | F.isnan(value) | (F.abs(value) == _INFINITE))
        what = F.concat(F.lit(f"{name} "), quote_value(text), F.lit(f" is not {feature.dtype}"))
        failures.append(F.when(wrong, what))
    return Rule("wrong_type", all_failures(failures))


def _rule_on_days(run_date: date) -> Rule:
    day = F.col("as_of_date")
    what = F.concat(
        F.lit("as_of_date "), quote_value(day), F.lit(f" is after the run date {run_date}")
    )
    return Rule(LATE, F.when(day > F.lit(run_date), what))
