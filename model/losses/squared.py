"""Squared error of an expected grade."""

import torch
from torch import Tensor

from model.losses.base import TaskLoss


def squared_error(expected: Tensor, label_ge: Tensor, weight: Tensor) -> TaskLoss:
    """Compute (e - sum_k P(y >= k))**2, the mean over rows.

    Args:
        expected: [B], predicted expected grade e.
        label_ge: [B, K], P(y >= k) of the label; their sum is its expected grade. Any value where
            weight is 0.
        weight: [B], 0 where there is no label.
    """
    target = torch.where((weight > 0).unsqueeze(1), label_ge, torch.zeros_like(label_ge))
    loss = (expected.float() - target.sum(dim=1)) ** 2
    return TaskLoss((weight * loss).sum(), weight.sum())
