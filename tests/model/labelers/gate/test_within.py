"""What a labeler says of a query's items among each other."""

import numpy as np
import pytest

from model.evaluation.metrics import compute_spearman
from model.labelers.gate.within import measure_within_query

QUERY = np.repeat([0, 1], 4)
LEVEL = np.asarray([2.0, 2.0, 1.0, 2.0, 0.0, 0.0, 1.0, 0.0])


def test_guessing_the_querys_mean_is_worth_nothing_within() -> None:
    guess = np.where(QUERY == 0, 1.7, 0.2)
    assert compute_spearman(guess, LEVEL) > 0.7
    found = measure_within_query(guess, LEVEL, QUERY)
    assert found["within_query_correlation"] == 0.0
    assert found["ndcg@10"] < 1.0


def test_the_right_order_within_has_the_best_figures() -> None:
    level = np.asarray([2.0, 0.0, 1.0, 0.0])
    found = measure_within_query(10 + level, level, np.asarray([3, 3, 3, 3]))
    assert found == pytest.approx(
        {"within_query_correlation": 1.0, "ndcg@10": 1.0, "clear_pairs": 1.0}
    )
    turned = measure_within_query(-level, level, np.asarray([3, 3, 3, 3]))
    assert turned["within_query_correlation"] == pytest.approx(-1.0)
    assert turned["clear_pairs"] == 0.0


def test_queries_of_one_grade_say_nothing() -> None:
    found = measure_within_query(np.asarray([0.1, 0.9]), np.ones(2), np.zeros(2, np.int64))
    assert np.isnan(found["within_query_correlation"])
    assert np.isnan(found["clear_pairs"])
