"""Arms over draws: by hand, the interval's coverage, and draws in which an arm failed."""

import numpy as np
import pytest
from scipy import stats

from model.evaluation.bootstrap import Estimate
from model.experiments.intervals import ComparedFigure
from model.experiments.pooling import average_draws, pool_draws


def one(arm: str, value: float, difference: float | None = None) -> ComparedFigure:
    gap = None if difference is None else Estimate(difference, None, None)
    reference = None if gap is None else "r"
    return ComparedFigure(arm, "m", "all", Estimate(value, None, None), gap, 10, reference)


def test_means_and_intervals_by_hand() -> None:
    draws = [[one("r", 0.5), one("a", 0.6, 0.1)], [one("r", 0.7), one("a", 1.0, 0.3)]]
    found = {c.arm: c for c in pool_draws(draws, 0.95)}
    gap = found["a"].difference
    assert gap is not None
    half = 12.7062 * 0.1  # t of one degree of freedom; sd .1414 over the root of 2
    assert (gap.value, gap.low, gap.high) == pytest.approx((0.2, 0.2 - half, 0.2 + half), abs=1e-4)
    assert found["a"].detectable == pytest.approx(0.1 * (12.7062 + 1.3764), abs=1e-4)
    assert found["r"].estimate.value == pytest.approx(0.6) and found["r"].difference is None
    assert (found["a"].units, found["a"].trainings, found["a"].reference) == (20, 2, "r")


def test_an_arm_that_failed_in_a_draw_is_pooled_over_the_others() -> None:
    draws = [[one("r", 0.5), one("a", 0.6, 0.1)], [one("r", 0.7)], [one("r", 0.6), one("a", 0.8)]]
    found = {c.arm: c for c in pool_draws(draws, 0.95)}
    assert found["a"].estimate.value == pytest.approx(0.7)
    assert found["a"].difference == Estimate(pytest.approx(0.1), None, None)
    assert found["a"].detectable is None


def test_what_says_nothing_in_a_draw_does_not_count() -> None:
    estimate, error = average_draws([0.1, float("nan"), 0.3], 0.95)
    assert estimate.value == pytest.approx(0.2) and error == pytest.approx(0.1)
    assert np.isnan(average_draws([float("nan")], 0.95)[0].value)


def test_the_interval_over_five_draws_holds_the_truth_in_95_of_100() -> None:
    """Markets differ by 1, and what units and seeds add to each market's figure by 1 more."""
    generator = np.random.default_rng(3)
    held = 0
    for _ in range(2_000):
        figures = generator.normal(0.0, 1.0, 5) + generator.normal(0.0, 1.0, 5)
        estimate, _ = average_draws(list(figures), 0.95)
        assert estimate.low is not None and estimate.high is not None
        held += estimate.low <= 0.0 <= estimate.high
    assert stats.binomtest(held, 2_000, 0.95).pvalue > 0.001
