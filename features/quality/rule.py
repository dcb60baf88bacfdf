"""What a row rule is, and how the verdicts of many rules come together in a frame."""

from collections.abc import Iterable
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

RULE = "_rule"
REASON = "_reason"
RAW_ROW = "_raw_row"
VERDICT = (RULE, REASON, RAW_ROW)


@dataclass(frozen=True)
class Rule:
    """A named rule; `failure` is null where a row passes, else it says what is wrong."""

    name: str
    failure: Column


def judge_rows(df: DataFrame, rules: Iterable[Rule]) -> DataFrame:
    """Add `_rule` (name of the first broken rule) and `_reason` (all failures, in order).

    Verdicts that the frame already carries come first and are kept. Each failure is a column of its
    own before the two are made of it: written out in both, the rules of a table of 20 columns grow
    beyond the 64 KB of code that Java compiles as one method.
    """
    listed = list(rules)
    columns = {f"_failure_{i}": rule.failure for i, rule in enumerate(listed)}
    failures = [F.col(name) for name in columns]
    names = [
        F.when(failure.isNotNull(), F.lit(rule.name))
        for failure, rule in zip(failures, listed, strict=True)
    ]
    if RULE in df.columns:
        names.insert(0, F.col(RULE))
        failures.insert(0, F.col(REASON))
    verdict = {RULE: F.coalesce(*names), REASON: _join_failures("; ", failures)}
    return df.withColumns(columns).withColumns(verdict).drop(*columns)


def all_failures(failures: Iterable[Column]) -> Column:
    """Join the failures that are not null by commas; null where there is none."""
    return _join_failures(", ", failures)


def _join_failures(mark: str, failures: Iterable[Column]) -> Column:
    """Join the failures that are not null; null where there is none."""
    return F.nullif(F.concat_ws(mark, *failures), F.lit(""))
