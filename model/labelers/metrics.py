"""How well a labeler agrees with graded pairs: kappa, rank, exactness, recall, calibration."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.arrays import Floats
from model.evaluation.metrics import (
    assign_equal_size_groups,
    compute_calibration_error,
    compute_spearman,
)
from model.labelers.base import GRADE_COUNT, LabelerError, Probabilities

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
        cuts: of the expected grade, see `match_cuts`; None: the most probable grade.

    Raises:
        LabelerError: the lengths differ, or a grade is not 0, 1 or 2.
    """
    predicted = p.grades if cuts is None else cut_grades(p.expected, cuts)
    true = np.asarray(grades, np.int64)
    figures = compute_agreement(count_confusion(true, predicted))
    return {name: float(value) for name, value in figures.items()} | {
        "spearman": compute_spearman(p.expected, true.astype(np.float64)),
        **compute_calibration_errors(p, true),
    }


def compute_calibration_errors(
    p: Probabilities, grades: NDArray[Any], weight: Floats | None = None
) -> dict[str, float]:
    """Compute ece_ge_1 and ece_ge_2 over ten groups of equal size, ordered by the probability, see
    `compute_calibration_error`; NaN without pairs.

    Args:
        grades: [N] true grades.
        weight: [N]; None: 1 each. Groups have equal numbers of pairs, whatever the weights.
    """
    each = np.ones(len(p)) if weight is None else weight
    errors = {}
    for grade, probability in ((1, p.p_ge_1), (2, p.p_ge_2)):
        group = assign_equal_size_groups(probability, _GROUPS)
        error = compute_calibration_error(each, each * probability, each * (grades >= grade), group)
        errors[f"ece_ge_{grade}"] = float(error)
    return errors


def cut_grades(expected: Floats, cuts: Sequence[float]) -> Grades:
    """Cut expected grades into grades [N]: 0 up to the first cut, 1 up to the second, 2 above."""
    return np.searchsorted(np.asarray(cuts, np.float64), expected, side="left").astype(np.int64)
