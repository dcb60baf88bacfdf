"""Raw columns cast to the types of a contract, without failing on a value that does not fit."""

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import (
    DataType,
    DateType,
    NumericType,
    StringType,
    TimestampNTZType,
    TimestampType,
)

from features.contracts import Table
from features.quality.rule import Rule, all_failures

MALFORMED = "_malformed"
"""Optional column of a raw frame: the line as read where it could not be parsed, else null."""

MALFORMED_LINE = "malformed_line"
"""Rule of such a line."""

ROW = "_row"
_MOMENTS = (DateType, TimestampType, TimestampNTZType)
_SHOWN_CHARS = 40
"""Characters of a value in a reason: enough to recognise it."""
_YEARS = (1, 9_999)
"""Years of a date or time that Python, pandas and Arrow can hold; Spark casts more than that."""
_WRITTEN_DAYS = (1900_01_01, 2999_12_31)
"""Numbers such as 20260301 that write out a day. As seconds they would lie in 1970."""
_TIME_ALONE = r"^\s*T?\d{1,2}:"
"""A time without its day, which Spark takes for one of the day on which it runs."""
_JAVAS_NUMBER = r"[\d.][dDfF]\s*$"
"""A number that ends with the letter of its type in Java, which Spark reads as a number."""


def cast_columns(df: DataFrame, table: Table) -> DataFrame:
    """Select the contract's columns cast to its types, and the raw columns as the struct `_row`.

    A value that does not fit becomes null; a column that the frame lacks is null throughout.
    """
    types = {field.name: field.dataType for field in df.schema.fields}
    columns = [
        try_cast(F.col(c.name), types[c.name], c.type).alias(c.name)
        if c.name in types
        else F.lit(None).cast(c.type).alias(c.name)
        for c in table.columns
    ]
    return df.select(*columns, F.struct(*df.columns).alias(ROW))


def wrong_type(given: Sequence[str], table: Table) -> Rule:
    """Refuse values of the `given` raw columns that do not fit the contract's type."""
    failures = [
        F.when(
            raw_value(c.name).isNotNull() & F.col(c.name).isNull(),
            F.concat(
                F.lit(f"{c.name} "), quote_value(raw_value(c.name)), F.lit(f" is not {c.type}")
            ),
        )
        for c in table.columns
        if c.name in given and c.type != "string"
    ]
    return Rule("wrong_type", all_failures(failures))


def malformed_line() -> Rule:
    """Refuse a line that the reader could not parse."""
    line = raw_value(MALFORMED)
    return Rule(MALFORMED_LINE, F.when(line.isNotNull(), F.lit("the line does not parse")))


def raw_value(name: str) -> Column:
    """Return the raw value of a column of a frame of `cast_columns`."""
    return F.col(f"{ROW}.`{name}`")


def quote_value(value: Column) -> Column:
    """Quote the first characters of a value, for a reason."""
    return F.concat(F.lit("'"), F.substring(value.cast("string"), 1, _SHOWN_CHARS), F.lit("'"))


def try_cast(value: Column, source: DataType, target: str) -> Column:
    """Cast that gives null instead of an error, and never rounds on the way.

    A fraction does not become an int (2.0 and "2.0" do, 2.5 does not), a number other than 0 and 1
    no boolean; numbers as a timestamp are seconds since 1970, and a year has four digits at most.
    A number that writes out a day (20260301) and a time without its day are no time.
    """
    if target in ("date", "timestamp"):
        moment = _cast_value(value, source, target)
        is_known = F.year(moment).between(*_YEARS)
        if isinstance(source, NumericType):
            is_known &= ~value.between(*_WRITTEN_DAYS)
        elif isinstance(source, StringType):
            is_known &= ~value.rlike(_TIME_ALONE)
        return F.when(is_known, moment)
    if source.simpleString() == target:
        return value
    if target in ("int", "long", "bigint"):
        number = _cast_value(value, source, "double")
        return F.when(number == F.rint(number), number.try_cast(target))
    if target == "boolean":
        number = _cast_value(value, source, "double")
        word = value.cast("string").try_cast("boolean")
        return F.coalesce(word, F.when(number.isin(0.0, 1.0), number == 1.0))
    return _cast_value(value, source, target)


def _cast_value(value: Column, source: DataType, target: str) -> Column:
    """Cast directly where Spark allows it for the pair of types, else by way of text."""
    numeric = isinstance(source, NumericType) and target in ("double", "timestamp", "string")
    moment = isinstance(source, _MOMENTS) and target in ("date", "timestamp", "string")
    if numeric or moment:
        return value.try_cast(target)
    text = value.cast("string")
    if target in ("double", "float") and isinstance(source, StringType):
        return F.when(~text.rlike(_JAVAS_NUMBER), text.try_cast(target))
    return text.try_cast(target)
