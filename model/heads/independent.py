"""Independent thresholds: one logit per grade, nothing that ties them."""

from collections.abc import Mapping

import torch
from torch import Tensor

from model.heads.base import RelevanceHead
from model.heads.engagement import start_tower
from model.losses import TaskLoss, thresholds_loss
from model.spec import THRESHOLDS


class IndependentHead(RelevanceHead):
    """P(grade >= k) = sigmoid(f_k(h)), each trained by itself.

    The two may cross. The read-out is then cut: P(grade >= 2) = min of both (the cumulative
    minimum), so that the order of the outputs holds as for every other head; the loss sees them as
    they are.
    """

    outputs = len(THRESHOLDS)

    def start_at(self, rates: Mapping[str, float]) -> None:
        """Set the last biases to the log-odds of the label rates."""
        if all(grade in rates for grade in THRESHOLDS):
            start_tower(self.tower, [rates[grade] for grade in THRESHOLDS])

    def compute_probabilities(self, logits: Tensor) -> Tensor:
        """Map logits [B, 2] to P(grade >= 1), P(grade >= 2) [B, 2], not increasing."""
        return torch.cummin(torch.sigmoid(logits.float()), dim=1).values

    def compute_loss(
        self, logits: Tensor, label_ge: Tensor, weight: Tensor, list_code: Tensor
    ) -> TaskLoss:
        """Compute the cross-entropy of both thresholds, see `thresholds_loss`."""
        return thresholds_loss(logits, label_ge, weight)
