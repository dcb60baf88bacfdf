"""Intervals by bootstrap over groups of queries, from sums that are bounded in size.

Queries are hashed into a fixed number of blocks, Spark sums each block, and whole blocks are drawn
with replacement here. A block's queries are a random group, so the spread over blocks estimates
the spread over queries, whatever their number (delete-a-group, Kott 2001); pages, regions and
items of one query text always move together.

An experiment draws its lists one by one (a block each) and, as a second level, the seeds of its
trainings: a replicate is the mean over the drawn seeds of the figure over the drawn lists (Davison
and Hinkley 1997, section 3.8; Field and Welsh 2007).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.arrays import Floats
from model.evaluation.metrics import divide_sums


@dataclass(frozen=True)
class Estimate:
    """A figure and the ends of its interval; None where fewer than two blocks stand behind it."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class BlockBootstrap:
    """Draws blocks with replacement, the same draws for every figure: differences are paired.

    Attributes:
        blocks: number of blocks (count).
        replicates: bootstrap replicates (count).
        confidence: level of the interval (fraction).
        seed: seed of the draws.
        trainings: of one arm, each with a seed of its own (count).
    """

    blocks: int
    replicates: int
    confidence: float
    seed: int
    trainings: int = 1

    @cached_property
    def draws(self) -> Floats:
        """[replicates, blocks] how often each block was drawn."""
        return self._draw_counts(self.blocks, np.random.default_rng(self.seed))

    @cached_property
    def training_shares(self) -> Floats:
        """[replicates, trainings] share of each training among the drawn ones."""
        generator = np.random.default_rng([self.seed, 2])
        return self._draw_counts(self.trainings, generator) / self.trainings

    def _draw_counts(self, size: int, generator: np.random.Generator) -> Floats:
        shares = np.full(size, 1.0 / size)
        return generator.multinomial(size, shares, size=self.replicates).astype(np.float64)

    def estimate(
        self,
        statistic: Callable[..., Floats],
        support: NDArray[Any],
        *sums: NDArray[Any],
        centred: bool = False,
    ) -> Estimate:
        """Estimate a statistic of the summed blocks with its percentile interval.

        Args:
            statistic: maps arrays [..., *rest] to [...]; gets the totals, then the replicates.
            support: [blocks], above 0 where a block has rows that matter.
            sums: arrays [blocks, *rest] of sums over the rows of a block.
            centred: move the interval so that the replicates' mean lies on the value, for figures
                that noise can only push up (a sum of absolute errors); cut off at 0.
        """
        value = float(statistic(*(np.asarray(s, np.float64).sum(axis=0) for s in sums)))
        if int(np.sum(np.asarray(support) > 0)) < 2:
            return Estimate(value, None, None)
        drawn = statistic(*(np.tensordot(self.draws, np.asarray(s, np.float64), 1) for s in sums))
        return self.bound_value(value, drawn, centred=centred)

    def bound_value(self, value: float, drawn: Floats, *, centred: bool = False) -> Estimate:
        """Add the percentile interval of its replicates [replicates] to a value; `centred` as in
        `estimate`. None unless the value and some replicate are finite."""
        drawn = drawn[np.isfinite(drawn)]
        if len(drawn) == 0 or not np.isfinite(value):
            return Estimate(value, None, None)
        tail = (1.0 - self.confidence) / 2
        low, high = np.quantile(drawn, [tail, 1.0 - tail])
        if centred:
            shift = value - float(drawn.mean())
            low, high = max(low + shift, 0.0), high + shift
        return Estimate(value, float(low), float(high))

    def estimate_mean(self, totals: NDArray[Any], counts: NDArray[Any]) -> Estimate:
        """Estimate the mean over queries from [blocks] sums and [blocks] counts."""
        return self.estimate(divide_sums, counts, totals, counts)

    def estimate_difference(
        self, totals: NDArray[Any], reference: NDArray[Any], counts: NDArray[Any]
    ) -> Estimate:
        """Estimate the mean paired difference over the same queries, from [blocks] sums of both."""
        gap = np.asarray(totals, np.float64) - np.asarray(reference, np.float64)
        return self.estimate(divide_sums, counts, gap, counts)
