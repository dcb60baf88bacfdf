"""Comparisons with planted probabilities, by hand."""

import numpy as np
import pandas as pd
import pytest

from model.evaluation.truth import check_direction, check_grades, check_sample, compute_deciles


def _sample(factor: float) -> pd.DataFrame:
    true = np.linspace(0.01, 0.4, 200)
    grade = np.repeat([0, 1, 2, 2], 50)
    columns = {f"true_p_{t}": true for t in ("click", "cart", "purchase")}
    columns |= {f"p_{t}": factor * true for t in ("click", "cart", "purchase")}
    return pd.DataFrame(
        columns
        | {"true_grade": grade, "relevance": grade / 2, "p_ge_1": grade / 2, "p_ge_2": grade / 2}
    )


def test_the_truth_itself_is_correlated_and_calibrated() -> None:
    found = {c.name: c.value for c in check_sample(_sample(1.0))}
    for kind in ("pearson", "spearman", "mean_ratio", "slope"):
        assert found[f"p_click.{kind}"] == pytest.approx(1.0)
    assert found["p_click.error"] == pytest.approx(0.0)
    assert found["relevance.spearman"] == found["p_ge_1.auc"] == found["p_ge_2.auc"] == 1.0


def test_a_prediction_twice_too_high_is_correlated_but_not_calibrated() -> None:
    found = {c.name: c.value for c in check_sample(_sample(2.0))}
    assert found["p_cart.spearman"] == pytest.approx(1.0)
    assert found["p_cart.mean_ratio"] == pytest.approx(2.0)
    assert found["p_cart.slope"] == pytest.approx(0.5)
    assert found["p_cart.error"] == pytest.approx(0.205)


def test_deciles_of_few_rows() -> None:
    groups = compute_deciles(np.array([0.3, 0.1]), np.array([1.0, 0.0]))
    assert groups.predicted.tolist() == [0.1, 0.3]
    assert groups.true.tolist() == [0.0, 1.0]


def test_nothing_to_compare() -> None:
    assert check_sample(_sample(1.0)[:0]) == []
    assert check_grades(pd.DataFrame({"grade": [], "true_grade": [], "pairs": []})) == []


def test_grades_by_hand() -> None:
    confusion = pd.DataFrame({"grade": [0, 1, 2], "true_grade": [0, 2, 0], "pairs": [6, 3, 1]})
    exact, close = check_grades(confusion)
    assert (exact.value, close.value, exact.rows) == (0.6, 0.9, 10)


def test_directions() -> None:
    up, down = np.array([0.7, 0.8, 0.9]), np.array([0.5, 0.4, 0.3])
    found = {c.name: c for c in check_direction(up, down, up, down, 9)}
    assert found["curve.relevance_rise"].value == pytest.approx(0.2)
    assert all(c.passed for c in found.values()) and len(found) == 3
    wrong = {c.name: c.passed for c in check_direction(down, down, up, down, 9)}
    assert wrong["curve.relevance_rise"] is False
    assert wrong["curve.relevance_agreement"] is False
    unknown = check_direction(up, down, np.full(3, np.nan), down, 9)
    assert [c.name for c in unknown] == ["curve.relevance_rise", "curve.engagement_agreement"]
