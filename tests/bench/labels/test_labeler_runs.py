"""What the bench says of a labeler: pairs learnt from, answers that are missing."""

import numpy as np
import pytest

from bench.labels.labeler_runs import describe_learning, fill_missing
from model.labelers.base import FitReport, LabelerError, Probabilities
from model.labelers.partial import Answers

NAN = float("nan")


def answers(first: list[float], second: list[float]) -> Answers:
    reasons = [None if value == value else "down" for value in first]
    return Answers(np.array(first), np.array(second), reasons, np.zeros(len(first), bool))


def test_a_missing_answer_takes_the_mean_of_the_others() -> None:
    found = fill_missing(answers([0.9, NAN, 0.5], [0.4, NAN, 0.2]))
    assert found.p_ge_1 == pytest.approx([0.9, 0.7, 0.5])
    assert found.p_ge_2 == pytest.approx([0.4, 0.3, 0.2])


def test_no_answer_at_all_is_an_error_with_its_reason() -> None:
    with pytest.raises(LabelerError, match="2 x down"):
        fill_missing(answers([NAN, NAN], [NAN, NAN]))


def test_the_pairs_learnt_from_are_named() -> None:
    assert describe_learning(FitReport(9_000, 1.0), 1_000) == "fit on 9,000 pairs, 1,000 to choose"
    again = FitReport(10_000, 1.0, validation=Probabilities(np.ones(1), np.ones(1)))
    words = "fit on 10,000 pairs, 1,000 to choose before the last fit"
    assert describe_learning(again, 1_000) == words
    calibrated = FitReport(9_000, 1.0, {"asked": 300, "graded": 298})
    assert describe_learning(calibrated, 1_000) == "calibrated on 298 pairs"
