"""The contract of every loss and the weighted sum over tasks."""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor


class TaskLoss(NamedTuple):
    """Loss of one task over the rows whose label is known.

    Attributes:
        total: scalar, sum of weight * loss; 0 where no label is known.
        weight: scalar, sum of the weights; total / weight is the mean loss.
    """

    total: Tensor
    weight: Tensor


def total_loss(
    losses: Mapping[str, TaskLoss],
    weights: Mapping[str, float],
    denominators: Mapping[str, Tensor] | None = None,
) -> Tensor:
    """Sum the losses over tasks, sum_t w_t * total_t / weight_t, as a scalar; a task without labels
    adds 0.

    Args:
        losses: by task.
        weights: static weight w_t by task; 1 where a task is not named.
        denominators: weight_t to divide by instead of the batch's own, such as the sum over all
            ranks.
    """
    total = torch.stack([loss.total for loss in losses.values()])
    weight = torch.stack([(denominators or {}).get(t, loss.weight) for t, loss in losses.items()])
    factor = torch.tensor([weights.get(t, 1.0) for t in losses], device=total.device)
    safe = torch.where(weight > 0, weight, torch.ones_like(weight))
    return (factor * total / safe).sum()
