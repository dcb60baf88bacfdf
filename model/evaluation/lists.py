"""NDCG of many lists at once: the figures of `model.evaluation.metrics.ndcg`, list by list."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.evaluation.metrics import log_discounts

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class RankedLists:
    """Lists whose items are ranked again and again; what does not depend on the scores, once.

    Attributes:
        first: [L] a row of each list.
        index: [N] list of each row, from 0.
        gains: [N] gain of each row.
        discounts: [k] by rank.
        starts: [L] first row of each list in an order by list.
        ideal: [L] DCG of the best order.
        told: [L] whether the list says something: two items, one of them with a gain.
    """

    first: Ints
    index: Ints
    gains: Floats
    discounts: Floats
    starts: Ints
    ideal: Floats
    told: Mask

    @classmethod
    def of(cls, codes: Ints, gains: Floats, k: int) -> "RankedLists":
        """Lists from the code [N] and the gain [N] of each row; rows of a list in any place."""
        _, first, index, counts = np.unique(
            codes, return_index=True, return_inverse=True, return_counts=True
        )
        starts = np.cumsum(counts) - counts
        discounts = log_discounts(k)
        order = np.lexsort((-gains, index))
        rank = np.arange(len(gains)) - np.repeat(starts, counts)
        best = np.where(rank < k, gains[order] * discounts[np.minimum(rank, k - 1)], 0.0)
        ideal = np.add.reduceat(best, starts) if len(starts) else np.zeros(0)
        told = (counts > 1) & (ideal > 0)
        return cls(first, index, gains, discounts, starts, ideal, told)

    def ndcg(self, scores: Floats) -> Floats:
        """[L] NDCG of each list under the scores [N]; nan where the list says nothing."""
        dcg = np.bincount(self.index, self.gains * self.ranked(scores), len(self.first))
        return np.where(self.told, dcg / np.where(self.told, self.ideal, 1.0), np.nan)

    def ranked(self, scores: Floats) -> Floats:
        """[N] discount of each row at its rank within its list under the scores [N].

        Items of equal score share the mean discount of the ranks that they fill together.
        """
        order = np.lexsort((-scores, self.index))
        lists, ranked = self.index[order], scores[order]
        opens = np.ones(len(order), bool)
        opens[1:] = (lists[1:] != lists[:-1]) | (ranked[1:] != ranked[:-1])
        first = np.flatnonzero(opens)
        sizes = np.diff(np.append(first, len(order)))
        before = first - self.starts[lists[opens]]  # ranks above the tied items
        k = len(self.discounts)
        cumulative = np.concatenate([[0.0], np.cumsum(self.discounts)])
        filled = cumulative[np.minimum(before + sizes, k)] - cumulative[np.minimum(before, k)]
        found = np.empty(len(order))
        found[order] = np.repeat(filled / sizes, sizes)
        return found
