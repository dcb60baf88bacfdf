"""Agreement against the `krippendorff` package, and the cases without a value."""

import krippendorff
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from features.judging.agreement import (
    count_confusions,
    grade_counts,
    krippendorff_alpha,
)

GRADES = st.integers(0, 2)
ROWS = st.lists(st.tuples(GRADES, st.none() | GRADES, st.none() | GRADES), min_size=2, max_size=20)


def counted(rows: list[tuple[int | None, ...]]) -> dict[tuple[int, ...], int]:
    found: dict[tuple[int, ...], int] = {}
    for row in rows:
        key = tuple(sum(answer == grade for answer in row) for grade in (0, 1, 2))
        found[key] = found.get(key, 0) + 1
    return found


@given(ROWS)
def test_alpha_is_that_of_the_package(rows: list[tuple[int | None, ...]]) -> None:
    alpha = krippendorff_alpha(counted(rows))
    if alpha is None:
        answers = [a for row in rows if sum(x is not None for x in row) > 1 for a in row]
        assert len({a for a in answers if a is not None}) < 2
        return
    table = np.array([[np.nan if a is None else a for a in row] for row in rows], float).T
    known = krippendorff.alpha(
        reliability_data=table, level_of_measurement="ordinal", value_domain=[0, 1, 2]
    )
    assert alpha == pytest.approx(known, abs=1e-9)


def test_nothing_to_compare_has_no_value() -> None:
    assert krippendorff_alpha({(1, 0, 0): 9}) is None


def test_answers_are_counted_by_pair_and_by_two_raters(spark: SparkSession) -> None:
    answers = spark.createDataFrame(
        [
            ("q", "i", "ann", 2),
            ("q", "i", "bob", 1),
            ("q", "j", "bob", 0),
            ("q", "j", "ann", 0),
            ("q", "k", "cid", 1),
        ],
        "query_id string, item_id string, rater string, grade int",
    )
    assert count_confusions(answers) == {("ann", "bob"): {(2, 1): 1, (0, 0): 1}}
    assert grade_counts(answers) == {(0, 1, 1): 1, (2, 0, 0): 1, (0, 1, 0): 1}
