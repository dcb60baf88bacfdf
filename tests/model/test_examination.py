"""The examination curve from clicks and expected clicks by position."""

import numpy as np
import pytest

from model.examination import examination_curve


def test_by_hand() -> None:
    curve = examination_curve(np.array([40, 10, 4]), np.array([50.0, 25.0, 20.0]), 0.02)
    assert curve == pytest.approx([1.0, 0.5, 0.25])


def test_item_quality_is_not_taken_for_examination() -> None:
    truth = np.array([1.0, 0.5, 0.3])
    quality = np.array([0.6, 0.3, 0.1])
    assert examination_curve(1e4 * truth * quality, 1e4 * quality, 0.02) == pytest.approx(truth)


def test_never_rises_and_keeps_the_floor() -> None:
    curve = examination_curve(np.array([50, 10, 20, 0]), np.full(4, 100.0), 0.02)
    assert curve == pytest.approx([1.0, 0.3, 0.3, 0.02])


def test_an_unseen_position_lies_between_its_neighbours_and_the_last_one_goes_on() -> None:
    clicks, expected = np.array([50, 0, 0, 20, 0]), np.array([100.0, 0.0, 0.0, 100.0, 0.0])
    curve = examination_curve(clicks, expected, 0.02)
    assert curve == pytest.approx([1.0, 0.8, 0.6, 0.4, 0.4])


def test_no_clicks_says_nothing() -> None:
    assert examination_curve(np.zeros(3), np.ones(3), 0.02).tolist() == [1.0, 1.0, 1.0]
