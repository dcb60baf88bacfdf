"""Who says how much engagement a weight keeps."""

import numpy as np
import pytest

from model.arrays import Floats
from model.value.shares import EngagementShare, choose_shares


def kept_share(
    under: Floats, without: Floats, expected: float, largest_error: float
) -> EngagementShare:
    """A weight beside the smallest one."""
    return choose_shares([without, under], [1.0, expected], largest_error)[1]


def test_the_error_is_that_of_a_ratio_over_units() -> None:
    generator = np.random.default_rng(3)
    without = generator.uniform(1.0, 2.0, 400)
    under = without * generator.normal(0.98, 0.2, 400)
    kept = kept_share(under, without, expected=0.5, largest_error=0.1)
    draws = generator.multinomial(400, np.full(400, 1 / 400), size=4_000)
    assert kept.measured and kept.share == pytest.approx(under.sum() / without.sum())
    assert kept.error == pytest.approx(((draws @ under) / (draws @ without)).std(), rel=0.05)


def test_an_error_above_the_largest_gives_the_word_to_the_ranker() -> None:
    under, without = np.array([1.0, 3.0]), np.array([2.0, 2.0])
    noisy = kept_share(under, without, expected=0.97, largest_error=0.1)
    assert (noisy.share, noisy.measured) == (0.97, False)
    assert kept_share(under, without, 0.97, noisy.error).share == 1.0


@pytest.mark.parametrize("without", [[0.0, 0.0, 0.0], [0.0, 2.0, 0.0]])
def test_a_log_without_engagement_in_two_units_measures_nothing(without: list[float]) -> None:
    kept = kept_share(np.array(without), np.array(without), expected=0.9, largest_error=1.0)
    assert (kept.share, kept.measured, kept.error) == (0.9, False, np.inf)


def test_units_without_rows_change_nothing() -> None:
    under, without = np.array([1.0, 3.0]), np.array([2.0, 1.5])
    padded = kept_share(np.append(under, 0.0), np.append(without, 0.0), 0.9, 1.0)
    assert padded == kept_share(under, without, 0.9, 1.0)


def test_the_error_by_hand_over_units_with_engagement_under_either_weight() -> None:
    under, without = np.array([1.0, 3.0, 2.0, 0.0]), np.array([1.0, 1.0, 0.0, 0.0])
    kept = kept_share(under, without, expected=0.9, largest_error=10.0)
    assert kept.share == 3.0
    # residuals -2, 0 and 2 of the three units that tell something, over a sum of 2
    assert kept.error == pytest.approx((3 / 2 * 8) ** 0.5 / 2)


def test_one_inexact_weight_gives_the_ranker_the_whole_curve() -> None:
    without, close, far = np.array([2.0, 2.0]), np.array([2.02, 2.0]), np.array([1.0, 3.5])
    expected = [1.0, 0.99, 0.9]
    found = choose_shares([without, close, far], expected, largest_error=0.1)
    assert [kept.share for kept in found] == expected
    assert found[1].error < 0.1 < found[2].error
    exact = choose_shares([without, close], expected[:2], largest_error=0.1)
    assert [kept.share for kept in exact] == pytest.approx([1.0, 1.005])
