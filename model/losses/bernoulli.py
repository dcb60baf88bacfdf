"""Masked cross-entropy of a probability that is given by its logarithms."""

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from model.losses.base import TaskLoss


class LogProb(NamedTuple):
    """log p and log(1 - p), [B] or [B, T] each: exact where p is close to 0 or 1."""

    log_p: Tensor
    log_not_p: Tensor


def log_prob_of(logit: Tensor) -> LogProb:
    """Compute the log-probabilities of sigmoid(logit), in float32."""
    wide = logit.float()
    return LogProb(functional.logsigmoid(wide), functional.logsigmoid(-wide))


def compute_log1m_exp(x: Tensor) -> Tensor:
    """Compute log(1 - exp(x)) for x < 0, [B] -> [B] (Maechler 2012, eq. 7); x is cut at -1e-6."""
    x = x.clamp(max=-1e-6)
    near = x > -math.log(2.0)
    low = torch.where(near, torch.full_like(x, -1.0), x)
    high = torch.where(near, x, torch.full_like(x, -1.0))
    return torch.where(near, torch.log(-torch.expm1(high)), torch.log1p(-torch.exp(low)))


def masked_bce(prob: LogProb, label: Tensor, weight: Tensor) -> TaskLoss:
    """Compute -[y log p + (1 - y) log(1 - p)] over rows with weight > 0.

    Args:
        prob: log-probabilities, [B], or [B, T] of several tasks at once.
        label: the same shape, in 0..1, soft labels allowed; any value where weight is 0.
        weight: the same shape, 0 where the label is unknown or the row is padding.

    Returns:
        Scalars, or [T] each.
    """
    # Unknown labels are replaced before the product: nan * 0 would reach the gradient.
    target = torch.where(weight > 0, label, torch.zeros_like(label))
    loss = -(target * prob.log_p + (1.0 - target) * prob.log_not_p)
    return TaskLoss((weight * loss).sum(dim=0), weight.sum(dim=0))
