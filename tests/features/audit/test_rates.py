"""Rates and spreads of a grade: hand-worked, and planted ones found again."""

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession

from conf.sections.audit import ContradictionConf
from features.audit.contradiction import Numerics, checked_units, fit_without_outliers
from features.audit.rates import CORRELATIONS, DISPERSIONS, fit_rates, spread_of
from features.log.history import MICRO
from udfs.contradiction import centre_udf, contradiction_udf, p_value_udf

SCHEMA = "grade int, clicks long, carts long, purchases long, expected long"


@pytest.fixture
def numerics(spark: SparkSession) -> Numerics:
    """The UDFs need a session to be made."""
    return Numerics(contradiction_udf(), centre_udf(DISPERSIONS, CORRELATIONS), p_value_udf())


def test_rates_are_ratios_of_sums_and_few_units_are_taken_as_wide(
    spark: SparkSession, numerics: Numerics
) -> None:
    units = spark.createDataFrame(
        [(1, 4, 2, 1, 2 * MICRO), (1, 1, 0, 0, 2 * MICRO), (0, 0, 0, 0, 0)], SCHEMA
    )
    rates = fit_rates(units, numerics.centres)
    assert (rates[1].scale, rates[1].cart.rate, rates[1].purchase.rate) == (1.25, 0.4, 0.5)
    assert (rates[1].dispersion, rates[1].cart.correlation) == (1.0, 0.3)
    assert (rates[0].scale, rates[0].cart.rate) == (1.0, 0.0)


def test_spread_is_where_half_the_units_are_in_the_middle() -> None:
    assert spread_of([1.0, 2.0, 4.0], [0.3, 0.4, 0.6]) == pytest.approx(3.0)
    assert spread_of([1.0, 2.0, 4.0], [0.5, 0.6, 0.4]) == 1.0
    assert spread_of([1.0, 2.0, 4.0], [0.1, 0.2, 0.3]) == 4.0


def planted(seed: int, wrong: int) -> pd.DataFrame:
    """4,000 units of grade 1, dispersion .4; `wrong` of them with more of every step."""
    draws = np.random.default_rng(seed)
    n = 4_000
    expected = draws.uniform(2.0, 20.0, n)
    is_wrong = np.arange(n) < wrong
    scale = np.where(is_wrong, 5.0, 1.0)
    to_cart = np.where(is_wrong, 0.6, 0.3)
    clicks = draws.poisson(expected * scale * draws.gamma(2.5, 0.4, n))
    carts = draws.binomial(clicks, draws.beta(to_cart * 9, (1 - to_cart) * 9))
    purchases = draws.binomial(carts, np.where(is_wrong, 0.8, 0.5))
    micro = (expected * MICRO).astype(np.int64)
    return pd.DataFrame(
        {"id": np.arange(n), "grade": 1, "clicks": clicks, "carts": carts, "purchases": purchases,
         "expected": micro}
    )  # fmt: skip


def test_planted_contradictions_are_found_and_do_not_widen_the_spread(
    spark: SparkSession, numerics: Numerics
) -> None:
    conf = ContradictionConf(fdr=0.1)
    units = spark.createDataFrame(planted(1, wrong=200)).cache()
    rates = fit_without_outliers(units, conf, numerics)
    assert rates[1].dispersion == pytest.approx(0.4, rel=0.15)
    assert rates[1].cart.rate == pytest.approx(0.3, abs=0.02)
    assert rates[1].cart.correlation == pytest.approx(0.1, abs=0.03)
    found = checked_units(units, rates, conf, numerics).where("contradicts != 0").toPandas()
    true = found["id"] < 200
    assert true.mean() > 0.85
    assert true.sum() > 80
    assert (found.loc[true, "contradicts"] == 1).all()


def test_too_few_expected_clicks_are_not_tested(spark: SparkSession, numerics: Numerics) -> None:
    conf = ContradictionConf(min_expected_clicks=3.0)
    units = spark.createDataFrame([(1, 40, 2, 1, 2 * MICRO), (1, 4, 1, 0, 40 * MICRO)], SCHEMA)
    rows = (
        checked_units(units, fit_rates(units, numerics.centres), conf, numerics)
        .orderBy("clicks")
        .collect()
    )
    assert rows[0]["p_value"] is not None
    assert [rows[1][name] for name in ("p_value", "q_value", "contradicts")] == [None, None, 0]
