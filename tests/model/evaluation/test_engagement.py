"""Yardsticks of engagement have the values that were worked out by hand."""

from dataclasses import replace

import numpy as np
import pytest

from model.evaluation.currency import choose_currency
from model.evaluation.engagement import (
    Shown,
    measure_debiased,
    measure_doubly_robust,
    measure_logged,
    measure_off_policy,
    measure_true,
)

SECOND, THIRD = 1 / np.log2(3), 0.5


def pages(gains: list[float], propensity: list[float], k: int = 10) -> Shown:
    """Two pages of three items of one query."""
    return Shown(
        page=np.asarray([0, 0, 0, 1, 1, 1]),
        query=np.zeros(6, np.int64),
        pair=np.asarray([0, 1, 2, 2, 0, 1]),
        position=np.asarray([1, 2, 3, 1, 2, 3]),
        gains=np.asarray(gains),
        propensity=np.asarray(propensity),
        k=k,
    )


UP = np.asarray([3.0, 2.0, 1.0, 1.0, 3.0, 2.0])  # items 0, 1, 2 in this order on both pages
CLICKS = [1.0, 0, 0, 0, 0, 1.0]
NO = [-1.0] * 6


def test_logged_is_the_mean_of_the_pages() -> None:
    found = measure_logged(pages(CLICKS, NO), UP)
    assert found.value == pytest.approx((1 + SECOND) / 2)
    assert (found.effective, found.share) == (2.0, 1.0)


def test_debiased_weighs_a_click_by_its_examination() -> None:
    found = measure_debiased(pages(CLICKS, NO), UP, np.asarray([1.0, 0.5]), 0.01)
    assert found.value == pytest.approx((1 * 1 + 2 * SECOND) / 3)  # position 3 is seen like 2
    assert found.effective == pytest.approx(3**2 / (1 + 4))
    bounded = measure_debiased(pages(CLICKS, NO), UP, np.asarray([1.0, 0.5]), 0.8)
    assert bounded.value == pytest.approx((1 + SECOND / 0.8) / (1 + 1 / 0.8))


def test_off_policy_weighs_by_propensity_within_its_cap() -> None:
    shown = pages(CLICKS, [0.5, 0.5, 0.5, 0.1, 0.1, 0.1])
    found = measure_off_policy(shown, UP, 100.0)
    assert found.value == pytest.approx((2 * 1 + 10 * SECOND) / 12)
    assert found.effective == pytest.approx(12**2 / (4 + 100))
    assert measure_off_policy(shown, UP, 5.0).value == pytest.approx((2 + 5 * SECOND) / 7)


def test_a_page_without_all_its_propensities_does_not_count() -> None:
    found = measure_off_policy(pages(CLICKS, [0.5, 0.5, -1.0, 0.1, 0.1, 0.1]), UP, 100.0)
    assert found.value == pytest.approx(SECOND)
    assert (found.share, found.effective) == (0.5, pytest.approx(1.0))
    nothing = measure_off_policy(pages(CLICKS, NO), UP, 100.0)
    assert np.isnan(nothing.value)
    assert (nothing.share, nothing.effective) == (0.0, 0.0)


def test_doubly_robust_takes_each_page_by_the_clicks_of_the_other() -> None:
    shown = pages(CLICKS, [0.5] * 6)
    found = measure_doubly_robust(shown, UP, np.ones(3), np.zeros(6), 100.0)
    # page 0 is judged by page 1's click on item 1 (second), page 1 by page 0's on item 0 (first)
    assert found.value == pytest.approx((2 * SECOND + 2 * 1) / 4)
    sure = measure_doubly_robust(shown, UP, np.ones(3), np.asarray([1.0, 0, 0, 0, 1, 0]), 0.0)
    assert sure.value == pytest.approx(1.0)  # no weight on the log: the model's word alone


def test_a_longer_page_without_propensities_changes_nothing() -> None:
    """Neither as a page, nor by the examination that its places would add."""
    model = np.asarray([0.5] * 6)
    shown = pages(CLICKS, [0.5] * 6)
    alone = measure_doubly_robust(shown, UP, np.ones(3), model, 100.0)
    more = replace(
        shown,
        page=np.append(shown.page, [9] * 5),
        query=np.append(shown.query, [shown.query[0]] * 5),
        pair=np.append(shown.pair, [20, 21, 22, 23, 24]),
        position=np.append(shown.position, [1, 2, 3, 4, 5]),
        gains=np.append(shown.gains, [0.0] * 5),
        propensity=np.append(shown.propensity, [-1.0] * 5),
    )
    scores, rewards = np.append(UP, np.zeros(5)), np.full(11, 0.5)
    found = measure_doubly_robust(more, scores, np.ones(3), rewards, 100.0)
    assert found.value == pytest.approx(alone.value)


def test_ties_share_their_discounts() -> None:
    found = measure_off_policy(pages(CLICKS, [0.5] * 6), np.zeros(6), 100.0)
    assert found.value == pytest.approx((1 + SECOND + THIRD) / 3)


def test_the_currency_needs_a_sample() -> None:
    assert choose_currency("auto", 300.0, 200.0) == "off_policy"
    assert choose_currency("auto", 199.0, 200.0) == "debiased"
    assert choose_currency("logged", 300.0, 200.0) == "logged"


def test_true_has_the_planted_gains() -> None:
    shown = pages(CLICKS, NO)
    assert measure_true(shown, UP, UP).value == pytest.approx(1.0)
    assert measure_true(shown, -UP, UP).value < 0.9


# Query 0 has two randomised pages and one that is not, query 1 a single page, query 2 two longer
# pages, each with an item that the other one has not.
MIXED = Shown(
    page=np.asarray([0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 4, 5, 5, 5]),
    query=np.asarray([0, 0, 0, 0, 0, 0, 1, 1, 2, 2, 2, 2, 2, 2]),
    pair=np.asarray([0, 1, 1, 0, 0, 1, 2, 3, 4, 5, 6, 4, 5, 7]),
    position=np.asarray([1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 3, 1, 2, 3]),
    gains=np.asarray([1.0, 0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0, 1]),
    propensity=np.asarray([0.25] * 4 + [-1.0] * 2 + [0.25] * 8),
    k=10,
)
REWARD = np.asarray([0.2, 0.4, 0.6, 0.4, 9, 9, 1, 1, 0.1, 0.2, 0.3, 0.1, 0.2, 0.3])
FALLING = np.asarray([1.0, 0.5, 0.25, 0.1])


def test_the_models_part_is_over_the_positions_of_the_querys_own_pages() -> None:
    found = measure_doubly_robust(MIXED, np.zeros(14), FALLING, REWARD, 0.0)  # no weight on the log
    short, long = [0.3 * 1.5, 0.5 * 1.5], [0.1 * 1.75, 0.2 * 1.75, 0.3 * 1.75]
    expected = [*short, *short[::-1], 0, 0, 0, 0, *long, *long]
    assert found.denominator == pytest.approx(expected)
    assert (found.effective, found.share) == (0.0, 0.0)
    cut = measure_doubly_robust(
        MIXED, np.zeros(14), FALLING[:2], REWARD, 0.0
    )  # position 3 is seen like 2
    assert cut.denominator[8:11] == pytest.approx([0.1 * 2, 0.2 * 2, 0.3 * 2])


def test_the_logs_part_is_what_the_other_page_says_of_the_same_item() -> None:
    model = measure_doubly_robust(MIXED, np.zeros(14), FALLING, REWARD, 0.0)
    found = measure_doubly_robust(MIXED, np.zeros(14), FALLING, REWARD, 100.0)
    short = [1 - 0.3, -0.5 * 0.5, -0.5, -0.3 * 0.5]
    long = [-0.1, -0.2 * 0.5]
    expected = 4 * np.asarray([*short, 0, 0, 0, 0, *long, 0, *long, 0])
    assert found.denominator - model.denominator == pytest.approx(expected)
    # of the clicks, only that on item 0 is on an item that another randomised page has
    assert (found.effective, found.share) == (1.0, pytest.approx(1 / 6))


def test_a_page_with_two_clicks_counts_once_in_the_share() -> None:
    shown = pages([1.0, 1.0, 0, 0, 0, 0], [0.5] * 6)
    assert measure_off_policy(shown, UP, 100.0).share == 0.5


def test_a_page_without_a_click_has_no_part_in_the_mean_of_the_pages() -> None:
    found = measure_logged(pages([1.0, 0, 0, 0, 0, 0], NO), UP)
    assert (found.value, found.effective, found.share) == (1.0, 1.0, 0.5)
