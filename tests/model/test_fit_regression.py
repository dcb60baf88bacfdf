"""The regressions of the grade on the fit features."""

import numpy as np
import pytest

from model.split_sums import fit_regressions


def sigmoid(x: np.ndarray) -> np.ndarray:
    return np.asarray(1.0 / (1.0 + np.exp(-x)))


def test_planted_weights_of_both_thresholds_are_found() -> None:
    z = np.random.default_rng(5).normal(size=(20_000, 2))
    first = sigmoid(0.5 + z @ [1.5, 0.0])
    second = sigmoid(-1.0 + z @ [0.0, -0.8])  # given grade >= 1
    found = fit_regressions(
        ("a", "b"), z, np.stack([first, first * second], axis=1), np.ones(20_000)
    )
    assert set(found) == {"", "a", "b"}
    assert found[""] == pytest.approx([0.5, -1.0], abs=0.03)
    assert found["a"] == pytest.approx([1.5, 0.0], abs=0.03)
    assert found["b"] == pytest.approx([0.0, -0.8], abs=0.03)


def test_a_row_of_weight_two_counts_as_two_rows() -> None:
    z, grade = np.array([[-1.0], [0.2], [1.0], [0.4]]), np.array([0, 1, 2, 0])
    label_ge = np.stack([grade >= 1, grade >= 2], axis=1).astype(float)
    heavy = fit_regressions(("a",), z, label_ge, np.array([1.0, 2.0, 1.0, 1.0]))
    again = np.append(np.arange(4), 1)
    twice = fit_regressions(("a",), z[again], label_ge[again], np.ones(5))
    assert heavy["a"] == pytest.approx(twice["a"], abs=1e-4)
    assert heavy[""] == pytest.approx(twice[""], abs=1e-4)


@pytest.mark.parametrize("grades", [[0, 0, 0], [1, 1, 1], [0, 1, 1], [2, 2, 1]])
def test_without_both_sides_of_a_threshold_there_is_no_regression(grades: list[int]) -> None:
    grade = np.array(grades)
    label_ge = np.stack([grade >= 1, grade >= 2], axis=1).astype(float)
    assert fit_regressions(("a",), np.zeros((3, 1)), label_ge, np.ones(3)) == {}


def test_without_features_there_is_no_regression() -> None:
    label_ge = np.array([[0.5, 0.2], [1.0, 0.5]])
    assert fit_regressions((), np.zeros((2, 0)), label_ge, np.ones(2)) == {}
