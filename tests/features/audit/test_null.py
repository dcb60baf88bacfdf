"""Centre and width of scores from their middle half."""

import numpy as np
import pytest
from pyspark.sql import SparkSession

from features.audit.null import Null, compute_quantiles, fit_null


def test_quantiles_are_linear_within_a_step() -> None:
    assert compute_quantiles({0: 4, 2: 4}, (0.25, 0.5, 0.75)) == pytest.approx([0.025, 0.05, 0.125])


def test_wrong_grades_far_out_move_the_null_little(spark: SparkSession) -> None:
    draws = np.random.default_rng(2)
    z = np.concatenate([draws.normal(0.3, 1.3, 2_000), draws.normal(6.0, 1.0, 100)])
    rows = [(1, float(value)) for value in z] + [(0, 5.0)] * 3
    found = fit_null(spark.createDataFrame(rows, "grade int, z double"))
    assert found[0] == Null(0.0, 1.0)
    assert found[1].centre == pytest.approx(0.3, abs=0.15)
    assert found[1].width == pytest.approx(1.3, rel=0.1)
