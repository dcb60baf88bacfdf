"""Rows of a batch as lists: sums over a list without padding."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Lists:
    """The known rows of a batch, list by list.

    Attributes:
        rows: [N] positions of the rows with weight > 0, a list's rows side by side.
        index: [N] list of each, from 0.
        counts: [L] rows of each list.
    """

    rows: Tensor
    index: Tensor
    counts: Tensor

    def sum_values(self, values: Tensor) -> Tensor:
        """Sum the values over each list: [N] -> [L]."""
        empty = torch.zeros(len(self.counts), dtype=values.dtype, device=values.device)
        return empty.index_add(0, self.index, values)

    def log_softmax(self, scores: Tensor) -> Tensor:
        """Compute the log of the softmax over the list of each row: [N] -> [N]."""
        top = scores.new_full((len(self.counts),), -torch.inf)
        top = top.scatter_reduce(0, self.index, scores.detach(), "amax")
        centred = scores - top[self.index]
        return centred - self.sum_values(centred.exp()).log()[self.index]


def collect_lists(list_code: Tensor, weight: Tensor) -> Lists:
    """Collect the lists of a batch from [B] codes and [B] weights; rows of weight 0 belong to
    none."""
    rows = torch.nonzero(weight > 0).squeeze(1)
    _, index, counts = torch.unique(list_code[rows], return_inverse=True, return_counts=True)
    order = torch.argsort(index, stable=True)
    return Lists(rows[order], index[order], counts)
