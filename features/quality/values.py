"""Rules on one value: keys, missing values, text, numbers, members of a known set."""

from collections.abc import Iterable, Mapping, Sequence

from pyspark.sql import Column
from pyspark.sql import functions as F

from features.contracts import Table
from features.quality.rule import Rule, all_failures
from features.quality.typed import quote_value, raw_value

MAX_PRICE = 1e12
REPLACEMENT = "\ufffd"
"""What a reader puts in the place of bytes that it cannot decode."""
NUL = "\x00"
"""Between the letters of text in UTF-16 that was read as UTF-8; no page, file or label shows it."""
_UNSEEN = r"^[\p{Z}\p{Cc}\p{Cf}]*$"
"""Java's classes: separators, control characters, format characters (zero-width space, BOM)."""


def null_key(table: Table) -> Rule:
    """Refuse a key of which a column is null or blank."""
    return Rule("null_key", all_failures(_when_blank(F.col(name), name) for name in table.key))


def missing_value(table: Table, given: Iterable[str]) -> Rule:
    """Refuse null in a required column that the source gives (keys have their own rule)."""
    names = [
        c.name for c in table.columns if c.required and c.name not in table.key and c.name in given
    ]
    failures = [F.when(raw_value(name).isNull(), F.lit(f"{name} is null")) for name in names]
    return Rule("missing_value", all_failures(failures))


def wrong_encoding(columns: Iterable[str]) -> Rule:
    """Refuse text with bytes that are not UTF-8, the mark that a reader left for them, or NUL."""
    failures = [
        F.when(
            F.col(name).contains(REPLACEMENT) | ~F.is_valid_utf8(F.col(name)),
            F.lit(f"{name} holds bytes that are not UTF-8"),
        ).when(F.col(name).contains(NUL), F.lit(f"{name} holds NUL characters"))
        for name in columns
    ]
    return Rule("wrong_encoding", all_failures(failures))


def text_length(limits: Mapping[str, int], filled: Iterable[str]) -> Rule:
    """Refuse text over its column's limit of characters, or blank in a column that must be
    `filled`.
    """
    long = [
        F.when(
            F.length(name) > limit,
            F.concat(F.lit(f"{name} has "), F.length(name), F.lit(f" characters of {limit}")),
        )
        for name, limit in limits.items()
    ]
    blank = [F.when(_is_blank(F.col(name)), F.lit(f"{name} is blank")) for name in filled]
    return Rule("text_length", all_failures([*blank, *long]))


def price_positive() -> Rule:
    """Refuse a price that is not positive, not finite, or beyond MAX_PRICE; null passes."""
    price = F.col("price")
    wrong = F.isnan(price) | ~((price > 0) & (price < MAX_PRICE))
    reason = _describe_failure("price", price, wrong, "is not positive and finite")
    return Rule("price_positive", reason)


def in_unit(column: str) -> Rule:
    """Refuse a probability outside (0, 1]; null passes."""
    value = F.col(column)
    wrong = F.isnan(value) | ~((value > 0) & (value <= 1))
    return Rule(f"{column}_in_unit", _describe_failure(column, value, wrong, "is not in (0, 1]"))


def position_from_one() -> Rule:
    """Refuse a position below 1."""
    position = F.col("position")
    return Rule(
        "position_from_one", _describe_failure("position", position, position < 1, "is below 1")
    )


def require_member(name: str, column: str, allowed: Sequence[str | int], place: str) -> Rule:
    """Refuse a value that is not among the `allowed` ones; null passes."""
    value = F.col(column)
    return Rule(name, _describe_failure(column, value, ~value.isin(*allowed), f"is not in {place}"))


def _describe_failure(column: str, value: Column, wrong: Column, what: str) -> Column:
    return F.when(wrong, F.concat(F.lit(f"{column} "), quote_value(value), F.lit(f" {what}")))


def _is_blank(value: Column) -> Column:
    """Return whether a reader would see nothing."""
    return value.rlike(_UNSEEN)


def _when_blank(value: Column, name: str) -> Column:
    return F.when(value.isNull() | _is_blank(value), F.lit(f"{name} is null or blank"))
