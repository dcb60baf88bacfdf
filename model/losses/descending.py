"""Penalty on steps that are likelier than the step before them."""

from torch import Tensor

from model.losses.base import TaskLoss


def compute_violation(prob: Tensor) -> Tensor:
    """Compute sum_t max(p_{t+1} - p_t, 0) of each row: [B, T] -> [B]; 0 with one step."""
    return (prob[:, 1:] - prob[:, :-1]).clamp(min=0).sum(dim=1)


def descending_loss(prob: Tensor, weight: Tensor, strength: float) -> TaskLoss:
    """Compute strength * mean over rows of `compute_violation`.

    AITM's behavioural expectation calibrator with strength 0.6 (arXiv 2105.08489, eq. 11 there).
    For SEQ's regulariser, whose formula is not public, the same form is our choice. It needs no
    labels: every row of the snapshot counts.

    Args:
        prob: [B, T] probabilities, tasks in order.
        weight: [B], 0 for padding.
        strength: loss per unit of probability.
    """
    return TaskLoss(strength * (weight * compute_violation(prob)).sum(), weight.sum())
