"""Intervals over lists and seeds: a bootstrap with two levels, the same draws for every arm.

Each replicate draws the units of the split (queries or sessions) with replacement and, as a second
level, the seeds; an arm's figure is the mean over the drawn seeds of the figure over the drawn
units. All arms get the same draws, so a difference is paired by unit and by seed (Davison and
Hinkley 1997, section 3.8; Field and Welsh 2007).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import stats

from model.arrays import Floats
from model.evaluation.bootstrap import Estimate
from model.experiments.figures import Figure

_FEWEST = 2
"""Units or seeds below which nothing varies and no interval exists (count)."""
POWER = 0.8
"""Chance of seeing a difference that is there: the usual one (Cohen 1988)."""


@dataclass(frozen=True)
class TwoLevels:
    """Draws for the arms of one data set.

    Attributes:
        units: units of the split (count).
        seeds: seeds of every arm (count).
        replicates: bootstrap replicates (count).
        confidence: level of the intervals (fraction).
        seed: seed of the draws.
    """

    units: int
    seeds: int
    replicates: int
    confidence: float
    seed: int

    @cached_property
    def draws(self) -> Floats:
        """[replicates, units] how often each unit was drawn."""
        shares = np.full(self.units, 1.0 / self.units)
        generator = np.random.default_rng([self.seed, 1])
        return generator.multinomial(self.units, shares, size=self.replicates).astype(np.float64)

    @cached_property
    def seed_shares(self) -> Floats:
        """[replicates, seeds] share of each seed among the drawn ones."""
        shares = np.full(self.seeds, 1.0 / self.seeds)
        generator = np.random.default_rng([self.seed, 2])
        drawn = generator.multinomial(self.seeds, shares, size=self.replicates)
        return np.asarray(drawn / self.seeds, np.float64)

    def compute_replicates(self, figures: Sequence[Figure]) -> Floats:
        """Compute the replicates [replicates] of an arm's figure; `figures` are in the order of the
        seeds."""
        by_seed = np.stack([figure.compute_replicates(self.draws) for figure in figures], axis=1)
        return np.asarray(np.sum(by_seed * self.seed_shares, axis=1), np.float64)

    def estimate(self, value: float, replicates: Floats, units: int) -> Estimate:
        """Add the percentile interval to a value; there is none where two units are not there.

        A figure that noise can only push up (calibration error) may lie outside the percentiles.
        """
        finite = replicates[np.isfinite(replicates)]
        if (units < _FEWEST and self.seeds < _FEWEST) or not len(finite) or not np.isfinite(value):
            return Estimate(value, None, None)
        tail = (1.0 - self.confidence) / 2
        low, high = np.quantile(finite, [tail, 1.0 - tail])
        return Estimate(value, float(low), float(high))


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
    arms: Mapping[str, Sequence[Figure]], references: Mapping[str, str], levels: TwoLevels
) -> list[ComparedFigure]:
    """Compare the arms on one metric and region: each one's figure, and its difference from its
    reference.

    Args:
        arms: figures by arm, in the order of the seeds, one per seed.
        references: by arm the one that it is compared with; where either is absent (it failed, or
            is no other arm's) there is no difference.
    """
    drawn = {arm: levels.compute_replicates(figures) for arm, figures in arms.items()}
    means = {arm: float(np.mean([f.value for f in figures])) for arm, figures in arms.items()}
    compared = []
    for arm, figures in arms.items():
        example, other = figures[0], references.get(arm)
        estimate = levels.estimate(means[arm], drawn[arm], example.units)
        difference = seen = None
        if other is not None and other in arms:
            gaps = drawn[arm] - drawn[other]
            difference = levels.estimate(means[arm] - means[other], gaps, example.units)
            if difference.low is not None:
                seen = compute_detectable(float(np.nanstd(gaps)), levels.confidence)
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
