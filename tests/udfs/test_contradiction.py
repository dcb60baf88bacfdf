"""Tails and scores of the engagement test, against scipy's distributions and by simulation."""

import numpy as np
import pytest
from scipy import stats

from udfs.contradiction import (
    clustered_binomial,
    measure_centre,
    negative_binomial,
    normal_score,
    p_values,
    score_contradiction,
)


def test_negative_binomial_is_that_of_scipy() -> None:
    counts = np.arange(9.0)
    found = negative_binomial(counts, np.full(9, 3.0), np.full(9, 0.5))
    known = stats.nbinom(2.0, 2.0 / 5.0)
    expected = known.cdf(counts - 1), known.cdf(counts), known.sf(counts), known.sf(counts - 1)
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_binomial_without_correlation_is_that_of_scipy() -> None:
    counts, trials = np.arange(6.0), np.full(6, 5.0)
    found = clustered_binomial(counts, trials, np.full(6, 0.3), np.zeros(6))
    known = stats.binom(5, 0.3)
    expected = known.cdf(counts - 1), known.cdf(counts), known.sf(counts), known.sf(counts - 1)
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_trials_of_one_unit_that_are_all_alike_count_as_one() -> None:
    one = clustered_binomial(*map(np.array, ([1.0], [1.0], [0.3], [0.0])))
    ten_alike = clustered_binomial(*map(np.array, ([10.0], [10.0], [0.3], [1.0])))
    np.testing.assert_allclose(one, ten_alike)


def test_no_trials_say_nothing() -> None:
    zero, one = np.zeros(1), np.ones(1)
    found = score_contradiction((zero, one, one), (zero, 0.3 * one, zero), (zero, 0.5 * one, zero))
    assert found["z_cart"] == found["z_purchase"] == [0.0]


def test_far_tails_keep_their_digits() -> None:
    bounds = negative_binomial(*map(np.array, ([200.0], [1.0], [1e-4])))
    assert normal_score(bounds) == pytest.approx([36.9], abs=0.2)


@pytest.mark.parametrize("dispersion", [0.2, 1.0])
def test_half_of_the_outcomes_lie_in_the_middle_of_their_own_distribution(
    dispersion: float,
) -> None:
    counts = np.arange(400.0)
    inside = measure_centre(negative_binomial(counts, np.full(400, 3.0), np.full(400, dispersion)))
    shape = 1 / dispersion
    assert inside @ stats.nbinom(shape, shape / (shape + 3.0)).pmf(counts) == pytest.approx(0.5)


def test_a_unit_without_clicks_is_judged_by_its_clicks_alone() -> None:
    zero, one = np.zeros(1), np.ones(1)
    found = score_contradiction(
        (zero, 9 * one, 0.2 * one), (zero, 0.3 * one, zero), (zero, one, zero)
    )
    assert found["z"] == pytest.approx(found["z_click"])
    assert found["z"][0] < -2.0


def test_p_values_are_no_smaller_than_chance() -> None:
    """The tails hold their level, with pairs that differ as assumed."""
    draws = np.random.default_rng(3)
    n, ones = 200_000, np.ones(200_000)
    clicks = draws.poisson(8.0 * draws.gamma(2.0, 0.5, n))
    carts = draws.binomial(clicks, draws.beta(0.3 * 19, 0.7 * 19, n))
    purchases = draws.binomial(carts, draws.beta(0.5 * 19, 0.5 * 19, n))
    p = score_contradiction(
        (clicks.astype(float), 8.0 * ones, 0.5 * ones),
        (carts.astype(float), 0.3 * ones, 0.05 * ones),
        (purchases.astype(float), 0.5 * ones, 0.05 * ones),
    )["p"]
    for level in (0.01, 0.001):
        assert np.mean(p <= level) <= level


def test_engagement_contradicts_the_outer_grades_from_one_side_only() -> None:
    p = p_values(np.repeat([2.0, -2.0], 3), np.tile([0, 1, 2], 2))
    tail = stats.norm.sf(2.0)
    assert p == pytest.approx([tail, 2 * tail, 1 - tail, 1 - tail, 2 * tail, tail])
