"""What a labeler is fitted on."""

import numpy as np

from jobs.platform import labeler_fit
from model.labelers.base import Targets


def test_an_assumed_pair_weighs_less() -> None:
    graded, assumed = Targets.of_grades(np.array([2, 1])), Targets.of_grades(np.array([0]))
    both = graded.followed_by(labeler_fit._weighing(assumed, 0.3))
    assert both.weight.tolist() == [1.0, 1.0, 0.3]
    assert both.label_ge_1.tolist() == [1.0, 1.0, 0.0]
    assert both.label_ge_2.tolist() == [1.0, 0.0, 0.0]


def test_pairs_that_choose_are_weighted_to_the_mix_that_is_fitted() -> None:
    """Of grades 0, 1, 1, 2 a third each: 4/3, 2/3, 2/3, 4/3."""
    targets = Targets.of_grades(np.array([0, 1, 1, 2]))
    even = labeler_fit._in_mix(targets, (1 / 3, 1 / 3, 1 / 3))
    np.testing.assert_allclose(even.weight, [4 / 3, 2 / 3, 2 / 3, 4 / 3])
    np.testing.assert_array_equal(even.label_ge_2, targets.label_ge_2)
    same = labeler_fit._in_mix(targets, (0.251, 0.499, 0.25))
    assert same.weight.tolist() == [1.0] * 4
