"""What becomes of checked rows: those that passed, and the rows of the quarantine."""

from collections.abc import Mapping
from datetime import date
from functools import reduce
from typing import NamedTuple

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from features.contracts import Table
from features.quality.rule import RAW_ROW, REASON, RULE

MAX_KEPT_CHARS = 10_000
"""Of a row or a reason in the quarantine: enough to find the row, too little for a file's text."""

_OF = "_of"


class Tally(NamedTuple):
    """Rows of a checked frame, and of them those quarantined by rule (counts)."""

    rows: int
    broken: dict[str, int]


def select_accepted(checked: DataFrame) -> DataFrame:
    """Select the rows of a checked frame that passed."""
    return checked.where(F.col(RULE).isNull())


def select_standing(stored: DataFrame, checked: DataFrame, table: Table) -> DataFrame:
    """Select the stored rows that stay as they are, because their new version did not pass."""
    key = list(table.key)
    failed = checked.where(F.col(RULE).isNotNull()).select(*key)
    passed = select_accepted(checked).select(*key)
    standing = stored.join(failed, on=key, how="left_semi").join(passed, on=key, how="left_anti")
    return standing.select(*table.column_names)


def build_quarantine(checked: Mapping[Table, DataFrame], run_date: date, source: str) -> DataFrame:
    """Build rows of the quarantine from the rows of the checked frames that did not pass.

    `source` is taken for the data set of a row that names none.
    """
    parts = [
        df.where(F.col(RULE).isNotNull()).select(
            F.lit(run_date).alias("run_date"),
            F.lit(table.name).alias("table_name"),
            F.coalesce("dataset", F.lit(source)).alias("dataset"),
            F.col(RULE).alias("rule"),
            _cut_text(F.col(REASON)).alias("reason"),
            _cut_text(F.col(RAW_ROW)).alias("raw_row"),
        )
        for table, df in checked.items()
    ]
    return reduce(DataFrame.unionByName, parts)


def _cut_text(text: Column) -> Column:
    """Cut a long text to its first characters, and say how many there were."""
    mark = F.concat(F.lit(" [cut, of "), F.length(text), F.lit(" characters]"))
    beginning = F.concat(F.substring(text, 1, MAX_KEPT_CHARS), mark)
    return F.when(F.length(text) > MAX_KEPT_CHARS, beginning).otherwise(text)


def by_rule(checked: DataFrame) -> dict[str, int]:
    """Count rows by the first rule that they broke, the most frequent first."""
    broken = checked.where(F.col(RULE).isNotNull()).groupBy(RULE).count().collect()
    return _sort_by_count({row[RULE]: int(row["count"]) for row in broken})


def count_verdicts(checked: Mapping[Table, DataFrame]) -> dict[Table, Tally]:
    """Count the rows of several checked frames, all and by rule, in one query."""
    verdicts = [df.select(F.lit(table.name).alias(_OF), RULE) for table, df in checked.items()]
    rows = reduce(DataFrame.unionByName, verdicts).groupBy(_OF, RULE).count().collect()
    counts: dict[str, dict[str | None, int]] = {table.name: {} for table in checked}
    for row in rows:
        counts[row[_OF]][row[RULE]] = int(row["count"])
    return {table: _build_tally(counts[table.name]) for table in checked}


def _build_tally(counts: Mapping[str | None, int]) -> Tally:
    broken = {rule: n for rule, n in counts.items() if rule is not None}
    return Tally(sum(counts.values()), _sort_by_count(broken))


def _sort_by_count(counts: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda entry: (-entry[1], entry[0])))
