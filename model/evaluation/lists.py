"""NDCG of many lists at once: list by list the figures of `model.evaluation.metrics`."""

from dataclasses import dataclass, replace

import numpy as np

from model.arrays import Floats, Ints, Mask
from model.evaluation.metrics import compute_log_discounts


@dataclass(frozen=True)
class RankedLists:
    """Lists that are ranked under many scores; what does not depend on the scores is computed once.

    Attributes:
        any_row: [L] a row of each list, no matter which.
        index: [N] list of each row, from 0.
        gains: [N] gain of each row.
        discounts: [k] by rank.
        starts: [L] first row of each list in an order by list.
        ideal: [L] DCG of the best order.
        informative: [L] whether the list says something: two items, one of them with a gain.
    """

    any_row: Ints
    index: Ints
    gains: Floats
    discounts: Floats
    starts: Ints
    ideal: Floats
    informative: Mask

    @classmethod
    def from_codes(cls, codes: Ints, gains: Floats, k: int) -> "RankedLists":
        """Build lists from the code [N] and the gain [N] of each row; rows of a list may stand
        anywhere."""
        return cls.with_discounts(codes, gains, compute_log_discounts(k))

    @classmethod
    def with_discounts(cls, codes: Ints, gains: Floats, discounts: Floats) -> "RankedLists":
        """Build lists whose ranks weigh `discounts` [k]."""
        _, any_row, index, counts = np.unique(
            codes, return_index=True, return_inverse=True, return_counts=True
        )
        ideal = np.zeros(len(any_row))
        lists = cls(any_row, index, gains, discounts, np.cumsum(counts) - counts, ideal, ideal > 0)
        return lists.with_gains(gains)

    def with_gains(self, gains: Floats) -> "RankedLists":
        """Give the same rows other gains [N]."""
        k, counts = len(self.discounts), self.count_rows()
        order = np.lexsort((-gains, self.index))
        rank = np.arange(len(gains)) - np.repeat(self.starts, counts)
        best = np.where(rank < k, gains[order] * self.discounts[np.minimum(rank, k - 1)], 0.0)
        ideal = np.add.reduceat(best, self.starts) if len(self.starts) else np.zeros(0)
        informative = (counts > 1) & (ideal > 0)
        return replace(self, gains=gains, ideal=ideal, informative=informative)

    def count_rows(self) -> Ints:
        """Count the rows of each list, [L]."""
        return np.diff(self.starts, append=len(self.index))

    def compute_ndcg(self, scores: Floats) -> Floats:
        """Compute the NDCG of each list under the scores [N], [L]; nan where the list says
        nothing."""
        dcg = np.bincount(
            self.index, self.gains * self.compute_discounts(scores), len(self.any_row)
        )
        return np.where(self.informative, dcg / np.where(self.informative, self.ideal, 1.0), np.nan)

    def compute_discounts(self, scores: Floats) -> Floats:
        """Compute the discount of each row at its rank within its list under the scores [N], [N].

        Items of equal score share the mean discount of the ranks that they fill together.
        """
        order = np.lexsort((-scores, self.index))
        lists, ranked = self.index[order], scores[order]
        opens = np.ones(len(order), bool)
        opens[1:] = (lists[1:] != lists[:-1]) | (ranked[1:] != ranked[:-1])
        tie_starts = np.flatnonzero(opens)
        sizes = np.diff(np.append(tie_starts, len(order)))
        before = tie_starts - self.starts[lists[opens]]  # ranks above the tied items
        k = len(self.discounts)
        cumulative = np.concatenate([[0.0], np.cumsum(self.discounts)])
        filled = cumulative[np.minimum(before + sizes, k)] - cumulative[np.minimum(before, k)]
        by_row = np.empty(len(order))
        by_row[order] = np.repeat(filled / sizes, sizes)
        return by_row
