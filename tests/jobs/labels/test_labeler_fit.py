"""What a labeler is fitted on."""

from typing import Any

import numpy as np
import pandas as pd

from jobs.labels import labeler_fit
from model.labelers.base import FitReport, Pairs, Probabilities, Targets


def test_an_assumed_pair_weighs_less() -> None:
    graded, assumed = Targets.from_grades(np.array([2, 1])), Targets.from_grades(np.array([0]))
    both = graded.followed_by(labeler_fit._weigh_targets(assumed, 0.3))
    assert both.weight.tolist() == [1.0, 1.0, 0.3]
    assert both.label_ge_1.tolist() == [1.0, 1.0, 0.0]
    assert both.label_ge_2.tolist() == [1.0, 0.0, 0.0]


def test_pairs_that_choose_are_weighted_to_the_mix_that_is_fitted() -> None:
    """Of grades 0, 1, 1, 2 a third each: 4/3, 2/3, 2/3, 4/3."""
    targets = Targets.from_grades(np.array([0, 1, 1, 2]))
    even = labeler_fit._in_mix(targets, (1 / 3, 1 / 3, 1 / 3))
    np.testing.assert_allclose(even.weight, [4 / 3, 2 / 3, 2 / 3, 4 / 3])
    np.testing.assert_array_equal(even.label_ge_2, targets.label_ge_2)
    same = labeler_fit._in_mix(targets, (0.251, 0.499, 0.25))
    assert same.weight.tolist() == [1.0] * 4


def test_cut_points_come_from_answers_of_before_the_pairs_were_learnt_from() -> None:
    class Seen:
        def predict(self, pairs: Pairs) -> Probabilities:
            return Probabilities(np.ones(len(pairs)), np.ones(len(pairs)))

    labeler: Any = Seen()
    choose = pd.DataFrame({"query_text": ["a"], "item_text": ["b"]})
    before = Probabilities(np.array([0.4]), np.array([0.2]))
    refitted, once = FitReport(2, 0.0, validation=before), FitReport(1, 0.0)
    assert labeler_fit._unseen_answers(labeler, refitted, choose) is before
    assert labeler_fit._unseen_answers(labeler, once, choose).p_ge_2.tolist() == [1.0]
