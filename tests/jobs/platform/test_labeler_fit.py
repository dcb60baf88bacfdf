"""What a labeler is fitted on."""

import numpy as np

from jobs.platform import labeler_fit
from model.labelers.base import Targets


def test_an_assumed_pair_weighs_less() -> None:
    graded, assumed = Targets.of_grades(np.array([2, 1])), Targets.of_grades(np.array([0]))
    both = labeler_fit._joined(graded, assumed, 0.3)
    assert both.weight.tolist() == [1.0, 1.0, 0.3]
    assert both.label_ge_1.tolist() == [1.0, 1.0, 0.0]
    assert both.label_ge_2.tolist() == [1.0, 0.0, 0.0]
