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

    Verdicts that the frame already carries come first and are kept.
    """
    listed = list(rules)
    names = [F.when(rule.failure.isNotNull(), F.lit(rule.name)) for rule in listed]
    failures = [rule.failure for rule in listed]
    if RULE in df.columns:
        names.insert(0, F.col(RULE))
        failures.insert(0, F.col(REASON))
    reason = F.concat_ws("; ", *failures)
    return df.withColumns({RULE: F.coalesce(*names), REASON: F.when(reason != "", reason)})


def all_failures(failures: Iterable[Column]) -> Column:
    """Join the failures that are not null by commas; null where there is none."""
    joined = F.concat_ws(", ", *failures)
    return F.when(joined != "", joined)
