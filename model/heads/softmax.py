"""Softmax over the grades as classes without an order."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from model.heads.base import RelevanceHead
from model.heads.engagement import set_bias
from model.losses import TaskLoss, grade_entropy
from model.spec import THRESHOLDS

_RAREST = 1e-4
"""Least share of a grade at the start, so that its logarithm is finite."""


class SoftmaxHead(RelevanceHead):
    """P(grade = k) = softmax(f(h))_k, k = 0, 1, 2; P(grade >= k) is their sum from k on.

    The sums cannot increase in k. A soft label is the distribution P(grade = k) that its
    P(grade >= k) implies.
    """

    outputs = len(THRESHOLDS) + 1

    def start_at(self, rates: Mapping[str, float]) -> None:
        """Set the last biases to the logarithms of the grades' shares in the labels."""
        if all(grade in rates for grade in THRESHOLDS):
            ge_1, ge_2 = (rates[grade] for grade in THRESHOLDS)
            shares = [1.0 - ge_1, ge_1 - ge_2, ge_2]
            set_bias(self.tower, [math.log(max(share, _RAREST)) for share in shares])

    def compute_probabilities(self, logits: Tensor) -> Tensor:
        """Map the logits of grades 0, 1, 2 [B, 3] to P(grade >= 1), P(grade >= 2) [B, 2]."""
        p = torch.softmax(logits.float(), dim=1)
        return torch.stack([p[:, 1] + p[:, 2], p[:, 2]], dim=1).clamp(max=1.0)

    def compute_loss(
        self, logits: Tensor, label_ge: Tensor, weight: Tensor, list_code: Tensor
    ) -> TaskLoss:
        """Compute cross-entropy over the grades, see `grade_entropy`."""
        return grade_entropy(logits, label_ge, weight)
