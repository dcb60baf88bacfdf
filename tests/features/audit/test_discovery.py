"""Benjamini-Hochberg q-values against scipy, ties and untested rows included."""

import numpy as np
import pytest
from pyspark.sql import SparkSession
from scipy.stats import false_discovery_control

from features.audit.discovery import with_q_values


def test_q_values_are_those_of_the_procedure(spark: SparkSession) -> None:
    draws = np.random.default_rng(7)
    p = np.concatenate([draws.random(300), draws.random(60) ** 6, np.repeat([0.01, 0.5, 1.0], 9)])
    rows = [(i, float(value)) for i, value in enumerate(p)]
    df = spark.createDataFrame([*rows, (-1, None)], "id long, p_value double")
    found = {r["id"]: r["q_value"] for r in with_q_values(df).collect()}
    assert found.pop(-1) is None
    assert [found[i] for i in range(len(p))] == pytest.approx(list(false_discovery_control(p)))
