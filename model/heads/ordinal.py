"""Ordinal relevance head: a chain of conditional probabilities."""

from collections.abc import Mapping

import torch
from torch import Tensor

from model.heads.base import RelevanceHead
from model.heads.engagement import start_tower
from model.losses import TaskLoss, corn_loss
from model.spec import THRESHOLDS


class CornHead(RelevanceHead):
    """q_k = sigmoid(f_k(h)) = P(grade >= k | grade >= k - 1); P(grade >= k) = q_1 ... q_k.

    The conditional chain of CORN (arXiv 2111.08851): P(grade >= 1) >= P(grade >= 2) always.
    Where no training row reaches grade 1, nothing teaches q_2, which stays near 1/2.
    """

    chain = True
    outputs = len(THRESHOLDS)

    def start_at(self, rates: Mapping[str, float]) -> None:
        """Set the last biases to the log-odds of the conditional rates in the labels."""
        if all(grade in rates for grade in THRESHOLDS):
            ge_1, ge_2 = (rates[grade] for grade in THRESHOLDS)
            start_tower(self.tower, [ge_1, ge_2 / ge_1 if ge_1 > 0 else 0.5])

    def compute_probabilities(self, logits: Tensor) -> Tensor:
        """Map the logits of q_1, q_2 [B, 2] to P(grade >= 1), P(grade >= 2) [B, 2], not
        increasing."""
        return torch.cumprod(torch.sigmoid(logits.float()), dim=1)

    def compute_loss(
        self, logits: Tensor, label_ge: Tensor, weight: Tensor, list_code: Tensor
    ) -> TaskLoss:
        """Compute CORN's loss, see `corn_loss`."""
        return corn_loss(logits, label_ge, weight)
