"""The examination curve from pairs that a log shows at several positions."""

import numpy as np
import pytest

from model.evaluation.examination import estimate_examination

CURVE = np.asarray([1.0, 0.5, 0.3, 0.1])


def test_the_planted_curve_comes_back_from_a_log_that_puts_the_best_on_top() -> None:
    rng = np.random.default_rng(11)
    attraction = np.repeat(np.linspace(0.2, 0.9, 40), 2_000)
    pair = np.repeat(np.arange(40), 2_000)
    # The better the item, the more often on top: bare click rates would make the curve too steep.
    drawn = rng.integers(0, 4, len(pair))
    position = np.where(rng.random(len(pair)) < attraction, np.minimum(drawn, 1), drawn) + 1
    clicks = (rng.random(len(pair)) < attraction * CURVE[position - 1]).astype(float)
    rate = np.bincount(position - 1, clicks) / np.bincount(position - 1)
    assert (rate / rate[0])[3] < 0.08
    found = estimate_examination(position, clicks, pair, 100, 0.01)
    assert found == pytest.approx(CURVE, abs=0.02)


def test_pairs_seen_once_leave_the_prior() -> None:
    clicks = np.asarray([1.0, 1.0, 1.0])
    found = estimate_examination(np.asarray([1, 2, 3]), clicks, np.arange(3), 100, 0.01)
    assert found == pytest.approx([1, 1 / 2, 1 / 3])


def test_it_never_rises_and_keeps_to_its_bounds() -> None:
    position = np.tile([1, 2, 3], 100)
    clicks = np.tile([0.0, 1.0, 0.0], 100)
    found = estimate_examination(position, clicks, np.repeat(np.arange(100), 3), 2, 0.2)
    assert len(found) == 2  # the third position counts as the second
    assert found[1] <= 1.0
    assert found.min() >= 0.2


def test_a_row_of_many_views_counts_as_that_many_rows() -> None:
    position, pair = np.asarray([1, 2, 1, 3, 2]), np.asarray([0, 0, 1, 1, 2])
    clicks, views = np.asarray([30.0, 10, 20, 10, 20]), np.asarray([40.0, 30, 20, 50, 60])
    row = np.repeat(np.arange(5), views.astype(np.int64))
    found = estimate_examination(position, clicks, pair, 9, 0.01, views)
    one_by_one = estimate_examination(position[row], (clicks / views)[row], pair[row], 9, 0.01)
    assert found == pytest.approx(one_by_one)


def test_no_position_is_seen_less_than_the_floor() -> None:
    found = estimate_examination(np.asarray([1, 2, 3]), np.ones(3), np.arange(3), 100, 0.4)
    assert found == pytest.approx([1, 1 / 2, 0.4])


def test_where_it_would_rise_the_position_with_more_views_has_more_say() -> None:
    clicks, views = np.asarray([500.0, 100.0, 9.0]), np.asarray([1_000.0, 1_000.0, 10.0])
    found = estimate_examination(
        np.asarray([1, 2, 3]), clicks, np.zeros(3, np.int64), 9, 0.01, views
    )
    assert found[1] == found[2] == pytest.approx(0.22, abs=0.03)
