"""What is refused before a fit, and what makes a version."""

import numpy as np
import pytest

from model.labelers.base import LabelerError, Pairs, Probabilities, Targets
from model.labelers.fitting import (
    check_fit,
    compute_cross_entropy,
    hash_data,
    hash_parts,
    is_clearly_worse,
    sum_grade_masses,
)

PAIRS = Pairs(["a", "b", "c"], ["x", "y", "z"])
TARGETS = Targets.from_grades(np.array([0, 1, 2]))


def test_soft_labels_spread_their_mass() -> None:
    soft = Targets(np.array([0.75, 1.0]), np.array([0.0, 0.25]), np.array([1.0, 2.0]))
    assert sum_grade_masses(soft) == pytest.approx([0.25, 0.75 + 1.5, 0.5])


def test_labels_out_of_order_are_refused() -> None:
    crossed = Targets(np.array([0.2, 1, 1]), np.array([0.5, 0, 1]), np.ones(3))
    with pytest.raises(LabelerError, match="a training label breaks"):
        check_fit(PAIRS, crossed, (PAIRS, TARGETS))
    with pytest.raises(LabelerError, match="a validation label breaks"):
        check_fit(PAIRS, TARGETS, (PAIRS, crossed))


def test_absent_grades_are_all_named() -> None:
    ones = Targets.from_grades(np.array([1, 1, 1]))
    with pytest.raises(LabelerError, match="no training pair has grade 0, 2"):
        check_fit(PAIRS, ones, (PAIRS, TARGETS))


def test_cross_entropy_by_hand() -> None:
    p = Probabilities(np.array([0.5, 1.0]), np.array([0.25, 0.5]))
    targets = Targets(np.array([1.0, 1.0]), np.array([0.0, 0.5]), np.array([1.0, 3.0]))
    first = np.log(2) / 4
    second = (-np.log(0.75) + 3 * np.log(2)) / 4
    assert compute_cross_entropy(p, targets) == pytest.approx(first + second, abs=1e-6)


def test_clearly_worse_by_hand() -> None:
    than, ones, heavy = np.ones(2), np.ones(2), np.array([3.0, 1.0])
    wide, narrow = than + np.array([-0.05, 0.15]), than + np.array([-0.01, 0.11])
    assert not is_clearly_worse(wide, than, ones)  # .05, its error .071
    assert is_clearly_worse(narrow, than, ones)  # .05, its error .042
    assert not is_clearly_worse(than - 0.05, than, ones)
    assert not is_clearly_worse(than, than, ones)
    assert not is_clearly_worse(wide, than, heavy)  # 0
    assert is_clearly_worse(wide[::-1], than, heavy)  # .1, its error .053


def test_of_a_single_pair_any_loss_more_is_clear() -> None:
    one = np.ones(1)
    assert is_clearly_worse(one + 1e-9, one, one) and not is_clearly_worse(one, one, one)


def test_a_version_follows_from_every_part_of_the_data() -> None:
    moved = Pairs(["a", "b", "cz"], ["x", "y", ""])
    heavier = Targets(TARGETS.label_ge_1, TARGETS.label_ge_2, np.array([1.0, 1, 2]))
    digests = {
        hash_data(PAIRS, TARGETS),
        hash_data(moved, TARGETS),
        hash_data(PAIRS, heavier),
        hash_data(PAIRS, Targets.from_grades(np.array([0, 1, 1]))),
    }
    assert len(digests) == 4
    assert hash_parts({"a": 1, "b": 2}) == hash_parts({"b": 2, "a": 1}) != hash_parts({"a": 2})
