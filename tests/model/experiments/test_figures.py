"""Figures from sums by unit: the value, and what a draw of units makes of it."""

import numpy as np
import pytest

from model.evaluation.metrics import compute_auc, compute_calibration_error, compute_log_losses
from model.experiments.figures import Figure, UnitRows, compute_engagement_changes

UNIT = np.repeat(np.arange(6), 50)
DRAWS = np.asarray([[1, 1, 1, 1, 1, 1], [2, 0, 1, 0, 3, 0]], np.float64)


@pytest.fixture
def drawn() -> np.ndarray:
    """Rows of the second draw, a unit as often as it was drawn."""
    return np.concatenate([np.flatnonzero(np.repeat(u == UNIT, 1)) for u in (0, 0, 2, 4, 4, 4)])


@pytest.fixture
def p() -> np.ndarray:
    return np.round(np.random.default_rng(1).random(len(UNIT)), 2)


@pytest.fixture
def label(p: np.ndarray) -> np.ndarray:
    return (np.random.default_rng(2).random(len(UNIT)) < p).astype(float)


def replicates(figure: Figure) -> np.ndarray:
    return figure.compute_replicates(DRAWS)


def test_a_mean_leaves_out_what_is_no_number(drawn: np.ndarray, p: np.ndarray) -> None:
    values = np.where(UNIT == 1, np.nan, p)
    figure = UnitRows(UNIT, 6, "all").build_mean("m", values)
    assert figure.units == 5
    assert figure.value == pytest.approx(np.nanmean(values))
    assert replicates(figure) == pytest.approx([np.nanmean(values), np.nanmean(values[drawn])])


def test_an_auc_of_a_draw_is_the_auc_of_its_rows(
    drawn: np.ndarray, p: np.ndarray, label: np.ndarray
) -> None:
    figure = UnitRows(UNIT, 6, "all").build_auc("auc.x", p, label)
    assert figure.value == compute_auc(p, label)
    assert replicates(figure) == pytest.approx(
        [compute_auc(p, label), compute_auc(p[drawn], label[drawn])]
    )


def test_a_calibration_error_keeps_its_groups(
    drawn: np.ndarray, p: np.ndarray, label: np.ndarray
) -> None:
    figure = UnitRows(UNIT, 6, "all").build_calibration("c", p, label, np.ones(len(p)))
    first, second = replicates(figure)
    assert first == pytest.approx(figure.value)
    group = np.empty(len(p), np.int64)
    group[np.argsort(p, kind="stable")] = np.arange(len(p)) * 15 // len(p)
    one = np.zeros((3, 15))
    np.add.at(one.T, group[drawn], np.stack([np.ones(len(drawn)), p[drawn], label[drawn]], axis=1))
    assert second == pytest.approx(float(compute_calibration_error(*one, np.arange(15))))


def test_log_loss_by_row_adds_up_to_the_log_loss(p: np.ndarray, label: np.ndarray) -> None:

    figure = UnitRows(UNIT, 6, "all").build_mean("log_loss.x", compute_log_losses(p, label))
    assert figure.value == pytest.approx(compute_log_losses(p, label).mean())


def test_scikit_learn_gives_the_same_auc_and_log_loss(p: np.ndarray, label: np.ndarray) -> None:
    metrics = pytest.importorskip("sklearn.metrics")

    assert UnitRows(UNIT, 6, "all").build_auc("a", p, label).value == pytest.approx(
        metrics.roc_auc_score(label, p)
    )
    inside = np.clip(p, 0.01, 0.99)
    mean = UnitRows(UNIT, 6, "all").build_mean("l", compute_log_losses(inside, label)).value
    assert mean == pytest.approx(metrics.log_loss(label, inside))


def test_a_constant_stays(p: np.ndarray) -> None:
    assert replicates(UnitRows(UNIT, 6, "all").build_constant("w", 0.3)) == pytest.approx(
        [0.3, 0.3]
    )


def test_a_change_of_engagement_is_paired_list_by_list(p: np.ndarray) -> None:
    rows = UnitRows(UNIT, 6, "all")
    other = p[::-1].copy()
    other[:50] = np.nan  # the first unit's lists say nothing, in both
    one = np.where(np.isnan(other), np.nan, p)
    (change,) = compute_engagement_changes(
        [
            rows.build_mean("value.engagement@10", one),
            rows.build_mean("value.relevance_judged@10", one),
        ],
        [rows.build_mean("value.engagement@10", other)],
    )
    expected = rows.build_mean("change.engagement@10", one - other)
    assert (change.metric, change.units) == ("change.engagement@10", 5)
    assert expected.units == 5
    assert change.value == pytest.approx(expected.value)
    assert replicates(change) == pytest.approx(replicates(expected))


def test_figures_of_other_lists_have_no_difference(p: np.ndarray) -> None:
    rows = UnitRows(UNIT, 6, "all")
    other = rows.build_mean("m", np.where(UNIT == 1, np.nan, p))
    with pytest.raises(ValueError, match="over the same lists"):
        rows.build_mean("m", p).subtract(other, "d")
