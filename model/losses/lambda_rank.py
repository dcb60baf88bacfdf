"""Pairs of a list, each weighted by what swapping it would do to the list's NDCG."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from model.losses.base import TaskLoss
from model.losses.lists import Lists, collect_lists


class RankedPairs(NamedTuple):
    """Ordered pairs of rows of one list: positions among the labelled rows, [P] each."""

    better: Tensor
    worse: Tensor


def lambda_rank_loss(
    scores: Tensor, label_ge: Tensor, weight: Tensor, list_code: Tensor
) -> TaskLoss:
    """Sum |G_i - G_j| |1/D_i - 1/D_j| log2(1 + exp(s_j - s_i)) over the pairs with g_i > g_j.

    LambdaRank's NDCG-weighted pairs as a loss in the LambdaLoss framework (Wang et al., CIKM 2018;
    sigma = 1): G_i = g_i / (best DCG of the list), D_i = log2(1 + rank_i), ranks from the scores as
    they are, without gradient. g is the gain 2**y - 1; of a soft label its expectation,
    which for grades 0, 1, 2 is P(y >= 1) + 2 P(y >= 2). A pair counts with the mean weight of its
    rows, a row without a label in no pair and no rank. Lists without two gains add 0.

    Args:
        scores: [B].
        label_ge: [B, 2], P(y >= k) of the label, soft ones too; any value where weight is 0.
        weight: [B], 0 where there is no label.
        list_code: [B], the list of each row.
    """
    lists = collect_lists(list_code, weight)
    label = label_ge[lists.rows].float()
    gain = label[:, 0] + 2.0 * label[:, 1]
    score, each = scores.float()[lists.rows], weight[lists.rows].float()
    ideal = lists.sum_values(gain / _compute_discount(_rank_rows(gain, lists)))
    share = gain / ideal.clamp(min=1e-9)[lists.index]
    inverse = 1.0 / _compute_discount(_rank_rows(score.detach(), lists))
    i, j = _list_pairs(gain, lists)
    delta = (share[i] - share[j]) * (inverse[i] - inverse[j]).abs()
    loss = functional.softplus(score[j] - score[i]) / torch.log(score.new_tensor(2.0))
    return TaskLoss((0.5 * (each[i] + each[j]) * delta * loss).sum(), weight.sum())


def _compute_discount(rank: Tensor) -> Tensor:
    return torch.log2(1.0 + rank)


def _rank_rows(values: Tensor, lists: Lists) -> Tensor:
    """Rank each row in its list from 1 [N], the largest value first; ties by row."""
    down = torch.argsort(values, descending=True, stable=True)
    order = down[torch.argsort(lists.index[down], stable=True)]
    place = torch.empty_like(order)
    place[order] = torch.arange(len(order), device=order.device)
    return (place - _compute_starts(lists)[lists.index] + 1).to(values.dtype)


def _compute_starts(lists: Lists) -> Tensor:
    """Compute the first known row of each list [L]."""
    return lists.counts.cumsum(0) - lists.counts


def _list_pairs(gain: Tensor, lists: Lists) -> RankedPairs:
    """List all pairs of a list whose first row has the larger gain.

    As many candidates as the sum of the squared list lengths: never more than B * B.
    """
    size = lists.counts[lists.index]  # [N] partners of each row, itself too
    i = torch.repeat_interleave(size)
    start = (size.cumsum(0) - size)[i]
    within = torch.arange(len(i), device=i.device) - start
    j = _compute_starts(lists)[lists.index][i] + within
    ordered = gain[i] > gain[j]
    return RankedPairs(i[ordered], j[ordered])
