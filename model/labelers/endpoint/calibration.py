"""Logistic maps of an endpoint's probabilities, one per threshold (Platt 1999, on the logit)."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from model.arrays import Floats
from model.labelers.base import Probabilities, Targets
from model.serving.calibration import fit_platt, from_json


def fit_maps(answers: Probabilities, labels: Targets, balanced: bool) -> list[dict[str, Any]]:
    """Fit the maps of P(grade >= 1) and P(grade >= 2), as JSON.

    Args:
        answers: the endpoint's probabilities of N pairs.
        labels: of the same pairs.
        balanced: give each grade the same total weight first.
    """
    weight = labels.weight * _balance_grades(labels) if balanced else labels.weight
    return [
        fit_platt(answers.p_ge_1, labels.label_ge_1, weight).to_json(),
        fit_platt(answers.p_ge_2, labels.label_ge_2, weight).to_json(),
    ]


def apply_maps(
    p_ge_1: Floats, p_ge_2: Floats, maps: Sequence[Mapping[str, Any]]
) -> tuple[Floats, Floats]:
    """Map both probabilities [N], P(>= 2) held at P(>= 1); NaN stays NaN."""
    ge_1 = np.asarray(from_json(maps[0])(p_ge_1), np.float64)
    ge_2 = np.asarray(from_json(maps[1])(p_ge_2), np.float64)
    return ge_1, np.minimum(ge_2, ge_1)


def _balance_grades(labels: Targets) -> Floats:
    """Compute factors [N] under which each grade has the same total weight, with mean 1."""
    ge_1, ge_2 = labels.label_ge_1, labels.label_ge_2
    masses = np.stack([1 - ge_1, ge_1 - ge_2, ge_2], axis=1)
    totals = np.maximum(labels.weight @ masses, 1e-9)
    factors = masses @ (1.0 / totals)
    return np.asarray(factors / factors.mean(), np.float64)
