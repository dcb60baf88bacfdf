"""Tails and scores of the engagement test, against scipy's distributions and by simulation."""

import numpy as np
import pytest
from scipy import stats

from udfs.contradiction import (
    clustered_binomial_tails,
    contradiction,
    negative_binomial_tails,
    normal_score,
)


def test_negative_binomial_tails_are_mid_p() -> None:
    counts = np.arange(9.0)
    lower, upper = negative_binomial_tails(counts, np.full(9, 3.0), np.full(9, 0.5))
    known = stats.nbinom(2.0, 2.0 / 5.0)
    np.testing.assert_allclose(lower, known.cdf(counts) - known.pmf(counts) / 2, atol=1e-12)
    np.testing.assert_allclose(upper, known.sf(counts) + known.pmf(counts) / 2, atol=1e-12)


def test_binomial_tails_without_correlation_are_mid_p() -> None:
    counts, trials = np.arange(6.0), np.full(6, 5.0)
    lower, upper = clustered_binomial_tails(counts, trials, np.full(6, 0.3), np.zeros(6))
    known = stats.binom(5, 0.3)
    np.testing.assert_allclose(lower, known.cdf(counts) - known.pmf(counts) / 2, atol=1e-12)
    np.testing.assert_allclose(upper, known.sf(counts) + known.pmf(counts) / 2, atol=1e-12)


def test_trials_of_one_unit_that_are_all_alike_count_as_one() -> None:
    one = clustered_binomial_tails(*map(np.array, ([1.0], [1.0], [0.3], [0.0])))
    ten_alike = clustered_binomial_tails(*map(np.array, ([10.0], [10.0], [0.3], [1.0])))
    np.testing.assert_allclose(one, ten_alike)


def test_no_trials_say_nothing() -> None:
    tails = clustered_binomial_tails(*map(np.array, ([0.0], [0.0], [0.3], [0.1])))
    assert normal_score(*tails) == pytest.approx([0.0])


def test_far_tails_keep_their_digits() -> None:
    lower, upper = negative_binomial_tails(*map(np.array, ([200.0], [1.0], [1e-4])))
    assert normal_score(lower, upper) == pytest.approx([36.9], abs=0.2)


def test_a_unit_without_clicks_is_judged_by_its_clicks_alone() -> None:
    zero, one = np.zeros(1), np.ones(1)
    found = contradiction((zero, 9 * one, 0.2 * one), (zero, 0.3 * one, zero), (zero, one, zero))
    assert found["z"] == pytest.approx(found["z_click"])
    assert found["z"][0] < -2.0


def test_p_values_are_no_smaller_than_chance() -> None:
    """The tails hold their level, with pairs that differ as assumed."""
    draws = np.random.default_rng(3)
    n, ones = 200_000, np.ones(200_000)
    clicks = draws.poisson(8.0 * draws.gamma(2.0, 0.5, n))
    carts = draws.binomial(clicks, draws.beta(0.3 * 19, 0.7 * 19, n))
    purchases = draws.binomial(carts, draws.beta(0.5 * 19, 0.5 * 19, n))
    p = contradiction(
        (clicks.astype(float), 8.0 * ones, 0.5 * ones),
        (carts.astype(float), 0.3 * ones, 0.05 * ones),
        (purchases.astype(float), 0.5 * ones, 0.05 * ones),
    )["p"]
    for level in (0.01, 0.001):
        assert np.mean(p <= level) <= level
