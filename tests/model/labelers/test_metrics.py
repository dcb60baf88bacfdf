"""Kappa, exactness, recall, and calibration, against numbers worked out by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from model.labelers.base import LabelerError, Probabilities
from model.labelers.metrics import (
    compute_calibration_errors,
    compute_kappa,
    compute_label_metrics,
    count_confusion,
)

TRUE = np.array([0, 1, 1, 2, 2, 2])


def test_kappa_by_hand() -> None:
    """Observed d^2: 1 + 4 = 5. Expected: margins a (1, 2, 3), b (2, 2, 2) over 6: 44 / 6."""
    guess = np.array([0, 0, 1, 0, 2, 2])
    table = count_confusion(TRUE, guess)
    margins = np.outer(table.sum(axis=1), table.sum(axis=0))
    expected = sum(margins[i, j] * (i - j) ** 2 for i in range(3) for j in range(3)) / 6
    assert compute_kappa(table) == pytest.approx(1 - 5 / expected)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=3, max_size=40))
def test_kappa_is_that_of_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    a, b = np.array(pairs).T
    if len(set(a)) < 2 or len(set(b)) < 2:
        return
    theirs = cohen_kappa_score(a, b, weights="quadratic", labels=[0, 1, 2])
    assert compute_kappa(count_confusion(a, b)) == pytest.approx(theirs)


def test_kappa_of_many_tables_at_once() -> None:
    same, turned = count_confusion(TRUE, TRUE), count_confusion(TRUE, TRUE[::-1])
    both = compute_kappa(np.stack([same, turned]))
    assert both == pytest.approx([1.0, float(compute_kappa(turned))])


def test_all_figures_of_a_small_prediction() -> None:
    p = Probabilities(
        np.array([0.2, 0.9, 0.6, 0.9, 0.8, 0.4]), np.array([0.1, 0.1, 0.5, 0.8, 0.1, 0.3])
    )
    found = compute_label_metrics(p, TRUE)
    assert p.grades.tolist() == [0, 1, 2, 2, 1, 0]
    assert found["exact"] == pytest.approx(3 / 6)
    assert found["within_one"] == pytest.approx(5 / 6)
    recalls = [found[f"recall_{grade}"] for grade in range(3)]
    assert recalls == pytest.approx([1, 1 / 2, 1 / 3])
    # Six groups of one pair each: the mean of |p - label|.
    assert found["ece_ge_1"] == pytest.approx(np.mean([0.2, 0.1, 0.4, 0.1, 0.2, 0.6]))
    assert found["ece_ge_2"] == pytest.approx(np.mean([0.1, 0.1, 0.5, 0.2, 0.9, 0.7]))


def test_cuts_replace_the_most_probable_grade() -> None:
    p = Probabilities(np.array([0.9, 0.95]), np.array([0.4, 0.45]))
    found = compute_label_metrics(p, np.array([1, 2]), cuts=(0.5, 1.35))
    assert found["exact"] == 1.0
    assert np.isnan(found["recall_0"])


def test_calibration_error_is_zero_where_groups_are_right() -> None:
    p = np.repeat([0.25, 0.75], 40)
    grades = np.concatenate([np.tile([1, 0, 0, 0], 10), np.tile([1, 1, 1, 0], 10)])
    right = compute_calibration_errors(Probabilities(p, np.zeros(80)), grades)
    assert right == pytest.approx({"ece_ge_1": 0, "ece_ge_2": 0})
    high = compute_calibration_errors(Probabilities(p + 0.1, np.zeros(80)), grades)
    assert high["ece_ge_1"] == pytest.approx(0.1)


def test_wrong_input_is_named() -> None:
    with pytest.raises(LabelerError, match="not one of 0 to 2"):
        count_confusion(np.array([3]), np.array([0]))
    with pytest.raises(LabelerError, match="2 grades beside 1"):
        count_confusion(np.array([0, 1]), np.array([0]))
