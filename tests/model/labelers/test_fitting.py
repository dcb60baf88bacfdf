"""What is refused before a fit, and what makes a version."""

import numpy as np
import pytest

from model.labelers.base import LabelerError, Pairs, Probabilities, Targets
from model.labelers.fitting import (
    check_fit,
    cross_entropy,
    data_digest,
    grade_masses,
    version_of,
)

PAIRS = Pairs(["a", "b", "c"], ["x", "y", "z"])
TARGETS = Targets.of_grades(np.array([0, 1, 2]))


def test_soft_labels_spread_their_mass() -> None:
    soft = Targets(np.array([0.75, 1.0]), np.array([0.0, 0.25]), np.array([1.0, 2.0]))
    assert grade_masses(soft) == pytest.approx([0.25, 0.75 + 1.5, 0.5])


def test_labels_out_of_order_are_refused() -> None:
    crossed = Targets(np.array([0.2, 1, 1]), np.array([0.5, 0, 1]), np.ones(3))
    with pytest.raises(LabelerError, match="a training label breaks"):
        check_fit(PAIRS, crossed, (PAIRS, TARGETS))
    with pytest.raises(LabelerError, match="a validation label breaks"):
        check_fit(PAIRS, TARGETS, (PAIRS, crossed))


def test_absent_grades_are_all_named() -> None:
    ones = Targets.of_grades(np.array([1, 1, 1]))
    with pytest.raises(LabelerError, match="no training pair has grade 0, 2"):
        check_fit(PAIRS, ones, (PAIRS, TARGETS))


def test_cross_entropy_by_hand() -> None:
    p = Probabilities(np.array([0.5, 1.0]), np.array([0.25, 0.5]))
    targets = Targets(np.array([1.0, 1.0]), np.array([0.0, 0.5]), np.array([1.0, 3.0]))
    first = np.log(2) / 4
    second = (-np.log(0.75) + 3 * np.log(2)) / 4
    assert cross_entropy(p, targets) == pytest.approx(first + second, abs=1e-6)


def test_a_version_follows_from_every_part_of_the_data() -> None:
    moved = Pairs(["a", "b", "cz"], ["x", "y", ""])
    heavier = Targets(TARGETS.label_ge_1, TARGETS.label_ge_2, np.array([1.0, 1, 2]))
    digests = {
        data_digest(PAIRS, TARGETS),
        data_digest(moved, TARGETS),
        data_digest(PAIRS, heavier),
        data_digest(PAIRS, Targets.of_grades(np.array([0, 1, 1]))),
    }
    assert len(digests) == 4
    assert version_of({"a": 1, "b": 2}) == version_of({"b": 2, "a": 1}) != version_of({"a": 2})
