"""CORN: loss of a chain of conditional probabilities over ordinal grades."""

import torch
from torch import Tensor
from torch.nn import functional

from model.losses.base import TaskLoss


def corn_loss(logits: Tensor, label_ge: Tensor, weight: Tensor) -> TaskLoss:
    """Compute the conditional cross-entropies of all steps, generalised to soft labels.

    Step k (from 1) learns q_k = P(y >= k | y >= k - 1) with cross-entropy against
    P(y >= k) / P(y >= k - 1), weighted by P(y >= k - 1) (with P(y >= 0) = 1). For hard labels
    that is exactly the loss of Shi, Cao and Raschka (arXiv 2111.08851, eq. 5): step k counts the
    rows with y >= k - 1 only, and the mean is over the counts of all steps together. For soft
    labels it is the expected negative log-likelihood of the grade.

    Args:
        logits: [B, K], logit of q_k in column k - 1.
        label_ge: [B, K], P(y >= k) of the label, not increasing in k; any value where weight is 0.
        weight: [B], 0 where there is no label.
    """
    wide = logits.float()
    target = torch.where((weight > 0).unsqueeze(1), label_ge, torch.zeros_like(label_ge))
    before = torch.cat([torch.ones_like(target[:, :1]), target[:, :-1]], dim=1)  # [B, K]
    hit, miss = functional.logsigmoid(wide), functional.logsigmoid(-wide)
    loss = -(target * hit + (before - target) * miss)
    each = weight.unsqueeze(1)
    return TaskLoss((each * loss).sum(), (each * before).sum())
