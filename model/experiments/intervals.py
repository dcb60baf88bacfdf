"""Intervals over lists and seeds: a bootstrap with two levels, the same draws for every arm.

Each replicate draws the units of the split (queries or sessions) with replacement and, as a second
level, the seeds; an arm's figure is the mean over the drawn seeds of the figure over the drawn
units. All arms get the same draws, so a difference is paired by unit and by seed (Davison and
Hinkley 1997, section 3.8; Field and Welsh 2007).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from model.bootstrap import Estimate
from model.experiments.figures import Figure

Floats = NDArray[np.float64]
_FEWEST = 2


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

    def replicates_of(self, figures: Sequence[Figure]) -> Floats:
        """[replicates] of an arm's figure, `figures` by seed in the order of the seeds."""
        by_seed = np.stack([figure.replicates(self.draws) for figure in figures], axis=1)
        return np.asarray(np.sum(by_seed * self.seed_shares, axis=1), np.float64)

    def estimate(self, value: float, replicates: Floats, units: int) -> Estimate:
        """The value with its percentile interval; no interval where two units are not there.

        A figure that noise can only push up (calibration error) may lie outside the percentiles.
        """
        told = replicates[np.isfinite(replicates)]
        if (units < _FEWEST and self.seeds < _FEWEST) or not len(told) or not np.isfinite(value):
            return Estimate(value, None, None)
        tail = (1.0 - self.confidence) / 2
        low, high = np.quantile(told, [tail, 1.0 - tail])
        return Estimate(value, float(low), float(high))


@dataclass(frozen=True)
class Compared:
    """An arm's figure and its paired difference from the reference; None for the reference."""

    arm: str
    metric: str
    region: str
    estimate: Estimate
    difference: Estimate | None
    units: int


def compare(arms: dict[str, list[Figure]], reference: str, levels: TwoLevels) -> list[Compared]:
    """One metric and region: every arm, and its difference from the reference.

    Args:
        arms: figures by arm, in the order of the seeds, one a seed.
        reference: may be absent among the arms (it failed): there are no differences then.
    """
    drawn = {arm: levels.replicates_of(figures) for arm, figures in arms.items()}
    means = {arm: float(np.mean([f.value for f in figures])) for arm, figures in arms.items()}
    found = []
    for arm, figures in arms.items():
        first = figures[0]
        estimate = levels.estimate(means[arm], drawn[arm], first.units)
        difference = None
        if arm != reference and reference in arms:
            gap = means[arm] - means[reference]
            difference = levels.estimate(gap, drawn[arm] - drawn[reference], first.units)
        found.append(Compared(arm, first.metric, first.region, estimate, difference, first.units))
    return found
