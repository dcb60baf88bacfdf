"""Answers of a labeler moved from the mix of grades that it was fitted on to production's.

A labeler that was fitted on a balanced sample takes a third of all pairs for irrelevant. If only
the shares of the grades differ between the sample and production, and not how the pairs of a grade
look (prior, or label, shift), Bayes' rule gives the answer under production's shares (Saerens,
Latinne and Decaestecker, "Adjusting the outputs of a classifier to new a priori probabilities",
Neural Computation 14, 2002, equation 2.4):

    P'(g | pair) = P(g | pair) r_g / sum_h P(h | pair) r_h,   r_g = production_g / fitted_g

with P(0) = 1 - p_ge_1, P(1) = p_ge_1 - p_ge_2, P(2) = p_ge_2. On the thresholds this multiplies the
odds of adjacent grades by r_1 / r_0 and r_2 / r_1, so p_ge_1 >= p_ge_2 stays true.
"""

from collections.abc import Sequence

import numpy as np

from model.arrays import Floats
from model.labelers.base import GRADE_COUNT, LabelerError, Probabilities

_TOLERANCE = 1e-6
"""Change of a share below which the estimate has converged."""
_ROUNDS = 1_000
"""Rounds of expectation maximisation at most (count)."""


def correct_mix(
    p: Probabilities, fitted: Sequence[float], production: Sequence[float]
) -> Probabilities:
    """Correct the probabilities to production's mix.

    Args:
        p: answers of N pairs.
        fitted: shares of grade 0, 1, 2 among the pairs that the labeler was fitted on.
        production: those of the pairs that it labels.

    Raises:
        LabelerError: a share is not finite, negative, or the fitted share is 0 where the other
            is not.
    """
    masses = compute_masses(p) * _compute_ratios(fitted, production)
    return _from_masses(masses)


def estimate_mix(p: Probabilities, fitted: Sequence[float]) -> tuple[float, float, float]:
    """Estimate production's mix by maximum likelihood from answers to its pairs, without their
    grades.

    Expectation maximisation (Saerens et al. 2002, equation 2.9): the answers corrected to the mix
    so far, averaged, are the next mix; it starts at the fitted one.

    Args:
        p: uncorrected answers to N pairs drawn as production shows them.
        fitted: shares of grade 0, 1, 2 among the pairs that the labeler was fitted on.

    Raises:
        LabelerError: no pairs, or a fitted share that is not above 0.
    """
    if len(p) == 0:
        raise LabelerError("production's mix cannot be estimated from no pairs")
    if min(fitted) <= 0:
        raise LabelerError(f"each share of the fitted mix must be above 0: {tuple(fitted)}")
    masses = compute_masses(p)
    start = np.asarray(fitted, np.float64) / float(np.sum(fitted))
    mix = start
    for _ in range(_ROUNDS):
        moved = masses * (mix / start)
        step = (moved / moved.sum(axis=1, keepdims=True)).mean(axis=0)
        done = np.abs(step - mix).max() < _TOLERANCE
        mix = step
        if done:
            break
    return float(mix[0]), float(mix[1]), float(mix[2])


def compute_masses(p: Probabilities) -> Floats:
    """Compute P(grade = 0), P(grade = 1) and P(grade = 2), [N, 3]."""
    masses = np.stack([1.0 - p.p_ge_1, p.p_ge_1 - p.p_ge_2, p.p_ge_2], axis=1)
    return np.asarray(np.maximum(masses, 0.0), np.float64)


def _compute_ratios(fitted: Sequence[float], production: Sequence[float]) -> Floats:
    before = np.asarray(fitted, np.float64)
    after = np.asarray(production, np.float64)
    both = np.concatenate([before, after])
    if both.shape != (2 * GRADE_COUNT,) or not np.all(np.isfinite(both)) or np.any(both < 0):
        raise LabelerError(f"not two mixes of three shares: {tuple(fitted)}, {tuple(production)}")
    if np.any((before == 0) & (after > 0)) or not after.sum() > 0:
        raise LabelerError(
            f"the labeler was fitted on the mix {tuple(fitted)}: it cannot be moved to "
            f"{tuple(production)}, which has a grade that it never saw, or none"
        )
    ratios = np.divide(after, before, out=np.zeros(GRADE_COUNT), where=before > 0)
    return np.asarray(ratios, np.float64)


def _from_masses(masses: Floats) -> Probabilities:
    total = masses.sum(axis=1)
    # A pair that the labeler is sure about, in a grade that production lacks, keeps no mass.
    safe = np.where(total > 0, total, 1.0)
    p_ge_2 = np.clip(masses[:, 2] / safe, 0.0, 1.0)
    p_ge_1 = np.clip((masses[:, 1] + masses[:, 2]) / safe, p_ge_2, 1.0)
    return Probabilities(p_ge_1, p_ge_2)
