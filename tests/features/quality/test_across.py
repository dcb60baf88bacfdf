"""Rules across rows: duplicates, conflicts, references."""

from contextlib import redirect_stdout
from io import StringIO

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from features.contracts import Table
from features.contracts.table import declare_required
from features.quality.across import judge_conflicts, judge_duplicates, judge_references
from features.quality.rule import REASON, RULE

PAIRS = Table(
    name="pairs",
    grain="one row per key",
    columns=declare_required([("key", "string", ""), ("grade", "int", ""), ("seen", "int", "")]),
    key=("key",),
)


def frame(spark: SparkSession, rows: list[tuple[str | None, int, int, str | None]]) -> DataFrame:
    df = spark.createDataFrame(rows, f"key string, grade int, seen int, {RULE} string")
    return df.withColumn(REASON, F.col(RULE))


def kept(df: DataFrame) -> list[tuple[str | None, int, int]]:
    passed = df.where(F.col(RULE).isNull()).select(*PAIRS.column_names)
    return sorted(tuple(r) for r in passed.collect())


def test_newest_fit_row_of_a_key_is_kept_in_any_order(spark: SparkSession) -> None:
    rows = [("a", 1, 5, None), ("a", 0, 9, "broken"), ("a", 2, 4, None), ("a", 0, 5, None)]
    for order in (rows, rows[::-1]):
        judged = judge_duplicates(frame(spark, order), PAIRS, ["seen"])
        assert kept(judged) == [("a", 0, 5)]
        rules = sorted(r[RULE] or "" for r in judged.collect())
        assert rules == ["", "broken", "duplicate_key", "older_version"]


def test_identical_rows_count_as_duplicates_and_null_keys_do_not(spark: SparkSession) -> None:
    rows = [("a", 1, 1, None), ("a", 1, 1, None), (None, 1, 1, None), (None, 2, 1, None)]
    assert (
        judge_duplicates(frame(spark, rows), PAIRS).where(f"{RULE} = 'duplicate_key'").count() == 1
    )


def test_conflicting_grades_fail_together_and_broken_rows_do_not_count(spark: SparkSession) -> None:
    rows = [
        ("two", 1, 1, None),
        ("two", 2, 1, None),
        ("same", 1, 1, None),
        ("same", 1, 2, None),
        ("one", 1, 1, None),
        ("one", 2, 1, "broken"),
    ]
    judged = (
        frame(spark, rows)
        .transform(judge_conflicts, PAIRS, "grade")
        .transform(judge_duplicates, PAIRS)
    )
    assert kept(judged.drop("_salt")) == [("one", 1, 1), ("same", 1, 1)]
    conflict = judged.where("key = 'two'").collect()
    assert {r[REASON] for r in conflict} == {"grades from 1 to 2 for one key"}


def test_two_windows_over_a_key_need_one_shuffle(spark: SparkSession) -> None:
    judged = frame(spark, [("a", 1, 1, None)]).transform(judge_conflicts, PAIRS, "grade")
    both = judged.transform(judge_duplicates, PAIRS)
    text = StringIO()
    with redirect_stdout(text):
        both.explain()
    assert text.getvalue().count("Exchange hashpartitioning") == 1


def test_reference_keeps_every_row_and_compares_the_shared_column(spark: SparkSession) -> None:
    rows = [("a", 1, 1, None), ("a", 2, 1, None), ("b", 1, 1, None), (None, 1, 1, None)]
    known = spark.createDataFrame([("a", 1), ("z", 1)], "key string, grade int")
    judged = frame(spark, rows).transform(
        judge_references, "unknown_key", known, "key", "keys", "grade"
    )
    found = {(r["key"], r["grade"]): (r[RULE], r[REASON]) for r in judged.collect()}
    assert found == {
        ("a", 1): (None, None),
        ("a", 2): ("grade_differs", "grade is 1 in keys"),
        ("b", 1): ("unknown_key", "key b is not in keys"),
        (None, 1): (None, None),
    }
