"""Logistic maps of an endpoint's probabilities, one a threshold (Platt 1999, on the logit)."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from model.labelers.base import Floats, Probabilities, Targets
from model.serving.calibration import fit_platt, from_json


def fit_maps(found: Probabilities, labels: Targets, balanced: bool) -> list[dict[str, Any]]:
    """The maps of P(grade >= 1) and P(grade >= 2), as JSON.

    Args:
        found: the endpoint's probabilities of N pairs.
        labels: of the same pairs.
        balanced: give each grade the same total weight first.
    """
    weight = labels.weight * _balance(labels) if balanced else labels.weight
    return [
        fit_platt(found.p_ge_1, labels.label_ge_1, weight).to_json(),
        fit_platt(found.p_ge_2, labels.label_ge_2, weight).to_json(),
    ]


def mapped(
    p_ge_1: Floats, p_ge_2: Floats, maps: Sequence[Mapping[str, Any]]
) -> tuple[Floats, Floats]:
    """Both probabilities [N] after their maps, P(>= 2) held at P(>= 1); NaN stays NaN."""
    first = np.asarray(from_json(maps[0])(p_ge_1), np.float64)
    second = np.asarray(from_json(maps[1])(p_ge_2), np.float64)
    return first, np.minimum(second, first)


def _balance(labels: Targets) -> Floats:
    """[N] factors under which each grade has the same total weight, with mean 1."""
    first, second = labels.label_ge_1, labels.label_ge_2
    masses = np.stack([1 - first, first - second, second], axis=1)
    totals = np.maximum(labels.weight @ masses, 1e-9)
    factors = masses @ (1.0 / totals)
    return np.asarray(factors / factors.mean(), np.float64)
