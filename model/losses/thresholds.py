"""Cross-entropy of every threshold of an ordinal grade on its own."""

import torch
from torch import Tensor
from torch.nn import functional

from model.losses.base import TaskLoss


def thresholds_loss(logits: Tensor, label_ge: Tensor, weight: Tensor) -> TaskLoss:
    """Compute -sum_k [P(y >= k) log s(z_k) + P(y < k) log(1 - s(z_k))], s the sigmoid.

    The loss of CORAL (Cao, Mirjalili and Raschka, arXiv 1901.07884, all importances 1) and
    of independent thresholds; they differ in how the logits come about. The mean is over rows.

    Args:
        logits: [B, K], z_k of P(y >= k) in column k - 1.
        label_ge: [B, K], P(y >= k) of the label, soft ones too; any value where weight is 0.
        weight: [B], 0 where there is no label.
    """
    wide = logits.float()
    target = torch.where((weight > 0).unsqueeze(1), label_ge, torch.zeros_like(label_ge))
    hit, miss = functional.logsigmoid(wide), functional.logsigmoid(-wide)
    loss = -(target * hit + (1.0 - target) * miss).sum(dim=1)  # [B]
    return TaskLoss((weight * loss).sum(), weight.sum())
