"""Cross-entropy over the grades as classes."""

import torch
from torch import Tensor
from torch.nn import functional

from model.losses.base import TaskLoss


def compute_grade_probabilities(label_ge: Tensor) -> Tensor:
    """Map P(y >= k), k = 1 .. K, [B, K] to P(y = k), k = 0 .. K, [B, K + 1]."""
    certain = torch.ones_like(label_ge[:, :1])
    impossible = torch.zeros_like(label_ge[:, :1])
    return torch.cat([certain, label_ge], dim=1) - torch.cat([label_ge, impossible], dim=1)


def grade_entropy(logits: Tensor, label_ge: Tensor, weight: Tensor) -> TaskLoss:
    """Compute -sum_k P(y = k) log softmax(z)_k, the mean over rows.

    Args:
        logits: [B, K + 1], z_k of grade k.
        label_ge: [B, K], P(y >= k) of the label, soft ones too; any value where weight is 0.
        weight: [B], 0 where there is no label.
    """
    target = torch.where((weight > 0).unsqueeze(1), label_ge, torch.zeros_like(label_ge))
    log_p = functional.log_softmax(logits.float(), dim=1)
    loss = -(compute_grade_probabilities(target) * log_p).sum(dim=1)  # [B]
    return TaskLoss((weight * loss).sum(), weight.sum())
