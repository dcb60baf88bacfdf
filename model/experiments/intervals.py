"""Arms compared over lists and seeds: the same draws of both for every arm.

The bootstrap's blocks are the units of the split (queries or sessions), its second level the seeds,
so a difference is paired by unit and by seed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from model.arrays import Floats
from model.evaluation.bootstrap import BlockBootstrap, Estimate
from model.experiments.figures import Figure

_FEWEST = 2
"""Units or seeds below which nothing varies and no interval exists (count)."""
POWER = 0.8
"""Chance of seeing a difference that is there: the usual one (Cohen 1988)."""


@dataclass(frozen=True)
class ComparedFigure:
    """An arm's figure and its paired difference from another arm's.

    Attributes:
        estimate: the figure.
        difference: from the reference; None where there is none.
        units: queries or sessions behind it (count).
        reference: the arm that the difference is taken from; None where there is none.
        detectable: smallest true difference that would be seen; see `compute_detectable`.
        trainings: figures behind the estimate, one per seed (count).
    """

    arm: str
    metric: str
    region: str
    estimate: Estimate
    difference: Estimate | None
    units: int
    reference: str | None = None
    detectable: float | None = None
    trainings: int = 1


def compare_arms(
    arms: Mapping[str, Sequence[Figure]], references: Mapping[str, str], bootstrap: BlockBootstrap
) -> list[ComparedFigure]:
    """Compare the arms on one metric and region: each one's figure, and its difference from its
    reference.

    Args:
        arms: figures by arm, in the order of the seeds, one per seed.
        references: by arm the one that it is compared with; where either is absent (it failed, or
            is no other arm's) there is no difference.
        bootstrap: blocks are the units of the split; as many trainings as seeds.
    """
    drawn = {arm: _draw_figure(figures, bootstrap) for arm, figures in arms.items()}
    means = {arm: float(np.mean([f.value for f in figures])) for arm, figures in arms.items()}
    compared = []
    for arm, figures in arms.items():
        example, other = figures[0], references.get(arm)
        estimate = _bound_mean(means[arm], drawn[arm], example.units, bootstrap)
        difference = seen = None
        if other is not None and other in arms:
            gaps = drawn[arm] - drawn[other]
            gap = means[arm] - means[other]
            difference = _bound_mean(gap, gaps, example.units, bootstrap)
            if difference.low is not None:
                seen = compute_detectable(float(np.nanstd(gaps)), bootstrap.confidence)
        compared.append(
            ComparedFigure(
                arm,
                example.metric,
                example.region,
                estimate,
                difference,
                example.units,
                other if difference is not None else None,
                seen,
                len(figures),
            )
        )
    return compared


def _draw_figure(figures: Sequence[Figure], bootstrap: BlockBootstrap) -> Floats:
    """Compute the replicates [replicates] of an arm's figure, given in the order of the seeds."""
    by_seed = np.stack([figure.compute_replicates(bootstrap.draws) for figure in figures], axis=1)
    return np.asarray(np.sum(by_seed * bootstrap.training_shares, axis=1), np.float64)


def _bound_mean(value: float, drawn: Floats, units: int, bootstrap: BlockBootstrap) -> Estimate:
    """Add the interval, where two units or two seeds vary."""
    if max(units, bootstrap.trainings) < _FEWEST:
        return Estimate(value, None, None)
    return bootstrap.bound_value(value, drawn)


def compute_detectable(error: float, confidence: float, freedom: float = np.inf) -> float:
    """Compute the smallest true difference whose interval leaves 0 out with the chance POWER.

    (t_{(1 + confidence) / 2} + t_POWER) x standard error, two-sided; with t for z where the error
    was estimated from few draws, an approximation (Bloom 1995, minimum detectable effects).

    Args:
        error: standard error of the difference.
        confidence: level of the interval (fraction).
        freedom: degrees of freedom of the standard error; infinite: z.
    """
    tails = stats.t.ppf([(1.0 + confidence) / 2, POWER], freedom)
    return float(tails.sum()) * error
