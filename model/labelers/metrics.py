"""How well a labeler agrees with graded pairs: kappa, rank, exactness, recall, calibration."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.evaluation.metrics import compute_spearman
from model.labelers.base import GRADE_COUNT, Floats, LabelerError, Probabilities

Grades = NDArray[np.int64]
_GROUPS = 10
"""Groups of the calibration error (count)."""
_GAPS = np.subtract.outer(np.arange(GRADE_COUNT), np.arange(GRADE_COUNT))
_PENALTY = np.asarray(_GAPS**2, np.float64)
"""[3, 3] squared distance of two grades: what quadratic kappa weighs a disagreement by."""


def count_confusion(a: NDArray[Any], b: NDArray[Any], weight: Floats | None = None) -> Floats:
    """Count the pairs (or their weight) of grade a in the row and grade b in the column, [3, 3].

    Raises:
        LabelerError: the lengths differ, or a grade is not 0, 1 or 2.
    """
    rows, columns = np.asarray(a, np.int64), np.asarray(b, np.int64)
    if rows.shape != columns.shape:
        raise LabelerError(f"{rows.size} grades beside {columns.size}")
    both = np.concatenate([rows, columns])
    if np.any((both < 0) | (both >= GRADE_COUNT)):
        raise LabelerError(f"a grade is not one of 0 to {GRADE_COUNT - 1}")
    cells = np.bincount(rows * GRADE_COUNT + columns, weight, GRADE_COUNT**2)
    return np.asarray(cells, np.float64).reshape(GRADE_COUNT, GRADE_COUNT)


def compute_kappa(table: Floats) -> Floats:
    """Compute quadratic weighted kappa (Cohen 1968) of tables [..., 3, 3] -> [...].

    1 - sum(d^2 observed) / sum(d^2 expected of independent margins); NaN where both margins hold
    one and the same grade only.
    """
    total = table.sum(axis=(-2, -1))
    margins = table.sum(axis=-1)[..., :, None] * table.sum(axis=-2)[..., None, :]
    observed = (_PENALTY * table).sum(axis=(-2, -1))
    expected = (_PENALTY * margins).sum(axis=(-2, -1))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(1.0 - observed * total / expected, np.float64)


def compute_quadratic_kappa(a: NDArray[Any], b: NDArray[Any]) -> float:
    """Compute the quadratic weighted kappa of two gradings of the same N pairs; NaN where it is
    undefined."""
    return float(compute_kappa(count_confusion(a, b)))


def compute_agreement(table: Floats) -> dict[str, Floats]:
    """Compute the figures of tables [..., 3, 3], true grade in the row: qwk, exact, within_one,
    recall_k.

    A figure without a pair behind it is NaN.
    """
    right = np.diagonal(table, axis1=-2, axis2=-1)
    total = table.sum(axis=(-2, -1))
    near = (table * (np.abs(_GAPS) <= 1)).sum(axis=(-2, -1))
    with np.errstate(divide="ignore", invalid="ignore"):
        recall = right / table.sum(axis=-1)
        figures = {
            "qwk": compute_kappa(table),
            "exact": right.sum(axis=-1) / total,
            "within_one": near / total,
        }
    return figures | {f"recall_{grade}": recall[..., grade] for grade in range(GRADE_COUNT)}


def compute_label_metrics(
    p: Probabilities, grades: NDArray[Any], cuts: Sequence[float] | None = None
) -> dict[str, float]:
    """Compute all figures of a prediction against the true grades [N].

    qwk, exact, within_one, recall_0 .. recall_2 judge the predicted grades; spearman the expected
    grade against the grade; ece_ge_1, ece_ge_2 the probabilities. A figure that has no meaning
    here (recall of a grade that no pair has) is NaN.

    Args:
        cuts: of the expected grade, see `find_cut_points`; None: the most probable grade.

    Raises:
        LabelerError: the lengths differ, or a grade is not 0, 1 or 2.
    """
    predicted = p.grades if cuts is None else cut_grades(p.expected, cuts)
    true = np.asarray(grades, np.int64)
    figures = compute_agreement(count_confusion(true, predicted))
    return {name: float(value) for name, value in figures.items()} | {
        "spearman": compute_spearman(p.expected, true.astype(np.float64)),
        "ece_ge_1": compute_calibration_error(p.p_ge_1, (true >= 1).astype(np.float64)),
        "ece_ge_2": compute_calibration_error(p.p_ge_2, (true >= 2).astype(np.float64)),
    }


def compute_calibration_error(p: Floats, label: Floats, weight: Floats | None = None) -> float:
    """Average |mean p - mean label| over ten groups of equal size, ordered by p.

    Args:
        p: [N] predicted probability.
        label: [N] 0 or 1, or a soft label.
        weight: [N]; None: 1 each. Groups have equal numbers of pairs, whatever the weights.
    """
    if len(p) == 0:
        return float("nan")
    group = np.empty(len(p), np.int64)
    group[np.argsort(p, kind="stable")] = np.arange(len(p)) * min(_GROUPS, len(p)) // len(p)
    each = np.ones(len(p)) if weight is None else weight
    gaps = np.abs(np.bincount(group, each * (p - label)))
    return float(gaps.sum() / each.sum())


def find_cut_points(expected: Floats, mix: Sequence[float]) -> tuple[float, float]:
    """Find the two cut points that give predictions the mix of grades of training.

    Args:
        expected: [N] expected grades.
        mix: shares of grade 0, 1 and 2; they need not add up to 1.

    Raises:
        LabelerError: no predictions, a negative share, or shares that add up to 0.
    """
    shares = np.asarray(mix, np.float64)
    if len(expected) == 0 or shares.shape != (GRADE_COUNT,) or np.any(shares < 0):
        raise LabelerError(f"no cut points of {len(expected)} predictions for the mix {mix}")
    if shares.sum() <= 0:
        raise LabelerError("the shares of the mix add up to 0")
    low, high = np.quantile(expected, np.cumsum(shares / shares.sum())[:2].clip(0, 1))
    return float(low), float(high)


def cut_grades(expected: Floats, cuts: Sequence[float]) -> Grades:
    """Cut expected grades into grades [N]: 0 up to the first cut, 1 up to the second, 2 above."""
    return np.searchsorted(np.asarray(cuts, np.float64), expected, side="left").astype(np.int64)


def compute_mix(grades: NDArray[Any], weight: Floats | None = None) -> tuple[float, float, float]:
    """Compute the shares of grade 0, 1, 2 among graded pairs [N]."""
    counts = np.bincount(np.asarray(grades, np.int64), weight, GRADE_COUNT)
    shares = counts / counts.sum()
    return float(shares[0]), float(shares[1]), float(shares[2])
