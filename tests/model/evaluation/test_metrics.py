"""Metrics against hand-worked numbers and scikit-learn."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk

from model.evaluation import metrics

_SCORES = st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0, 2.0]), min_size=2, max_size=15)


def test_ndcg_by_hand() -> None:
    scores, grades = np.array([3.0, 2.0, 1.0]), np.array([1.0, 2.0, 0.0])
    gains = metrics.compute_exponential_gains(grades)
    expected = (1 + 3 / math.log2(3)) / (3 + 1 / math.log2(3))
    assert metrics.compute_ndcg(scores, gains, 10) == pytest.approx(expected)
    assert metrics.compute_ndcg(scores, grades, 1) == pytest.approx(1 / 2)


def test_ties_share_the_discounts_of_their_ranks() -> None:
    d = metrics.compute_log_discounts(2)
    shared = metrics.average_discounts(np.array([1.0, 1.0, 1.0, 5.0]), d)
    assert shared == pytest.approx([d[1] / 3, d[1] / 3, d[1] / 3, d[0]])


@pytest.mark.parametrize("gains", [[1.0], [0.0, 0.0], []])
def test_lists_that_say_nothing(gains: list[float]) -> None:
    assert metrics.compute_ndcg(np.zeros(len(gains)), np.array(gains), 10) is None


@given(scores=_SCORES, seed=st.integers(0, 99), k=st.integers(1, 12))
def test_ndcg_is_that_of_scikit_learn(scores: list[float], seed: int, k: int) -> None:
    grades = np.random.default_rng(seed).integers(0, 3, len(scores)).astype(float)
    ours = metrics.compute_ndcg(np.array(scores), metrics.compute_exponential_gains(grades), k)
    if ours is None:
        assert grades.max() == 0
    else:
        theirs = sk.ndcg_score([metrics.compute_exponential_gains(grades)], [scores], k=k)
        assert ours == pytest.approx(theirs)


@given(scores=_SCORES, seed=st.integers(0, 99))
def test_auc_and_log_loss_are_those_of_scikit_learn(scores: list[float], seed: int) -> None:
    labels = np.random.default_rng(seed).integers(0, 2, len(scores)).astype(float)
    labels[:2] = (0.0, 1.0)
    s = np.array(scores)
    assert metrics.compute_auc(s, labels) == pytest.approx(sk.roc_auc_score(labels, s))
    p = np.clip(s / 4 + 0.2, 0, 1)
    assert metrics.compute_log_losses(p, labels).mean() == pytest.approx(sk.log_loss(labels, p))


def test_auc_needs_both_classes() -> None:
    assert math.isnan(metrics.compute_auc(np.array([1.0, 2.0]), np.array([1.0, 1.0])))
    assert math.isnan(metrics.compute_histogram_auc(np.array([1, 2]), np.array([0, 0])))


def test_auc_from_histogram_equals_auc_of_the_bins() -> None:
    rng = np.random.default_rng(3)
    bins, labels = rng.integers(0, 6, (2, 200)), rng.integers(0, 2, (2, 200))
    count = np.zeros((2, 2, 6))
    for row in range(2):
        np.add.at(count[row], (labels[row], bins[row]), 1)
    got = metrics.compute_histogram_auc(count[:, 1], count[:, 0])
    want = [metrics.compute_auc(bins[r].astype(float), labels[r].astype(float)) for r in range(2)]
    assert got == pytest.approx(want)


def test_calibration_error_by_hand() -> None:
    counts, expected, observed = np.array([4, 4]), np.array([1.0, 2.0]), np.array([2.0, 1.0])
    apart, together = np.array([0, 1]), np.array([0, 0])
    assert metrics.compute_calibration_error(counts, expected, observed, apart) == pytest.approx(
        2 / 8
    )
    assert metrics.compute_calibration_error(counts, expected, observed, together) == pytest.approx(
        0
    )


def test_groups_of_equal_mass() -> None:
    assert metrics.assign_equal_mass_groups(np.ones(6), 3).tolist() == [0, 0, 1, 1, 2, 2]
    assert metrics.assign_equal_mass_groups(np.array([0, 10, 0]), 4).tolist() == [0, 2, 3]


def test_groups_of_equal_size() -> None:
    values = np.array([0.3, 0.1, 0.2, 0.3, 0.0])
    assert metrics.assign_equal_size_groups(values, 2).tolist() == [1, 0, 0, 1, 0]
    assert metrics.assign_equal_size_groups(values[:2], 10).tolist() == [1, 0]
    empty = np.empty(0)
    group = metrics.assign_equal_size_groups(empty, 10)
    assert math.isnan(metrics.compute_calibration_error(empty, empty, empty, group))


def test_correlations() -> None:
    x, y = np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 4.0, 9.0, 16.0])
    assert metrics.compute_spearman(x, y) == pytest.approx(1.0)
    assert metrics.compute_pearson(x, y) == pytest.approx(0.984, abs=1e-3)
    assert math.isnan(metrics.compute_spearman(x, np.ones(4)))


def test_soft_labels_below_a_half_are_negatives() -> None:
    scores, labels = np.array([1.0, 2.0, 3.0]), np.array([0.4, 0.3, 0.9])
    assert metrics.compute_auc(scores, labels) == 1.0


def test_log_loss_keeps_probabilities_a_ten_millionth_away_from_0_and_1() -> None:
    sure = metrics.compute_log_losses(np.array([0.0]), np.array([1.0]))
    assert sure == pytest.approx(-math.log(1e-7))
    p = np.array([1e-5])
    assert metrics.compute_log_losses(p, np.ones(1)) == pytest.approx(-math.log(1e-5))
