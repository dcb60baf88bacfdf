"""CORAL: one score, ordered thresholds."""

from collections.abc import Mapping

import torch
from torch import Tensor

from conf.sections.model import ModelConf
from model.heads.base import RelevanceHead
from model.heads.engagement import set_bias
from model.heads.links import compute_log_odds
from model.heads.ordered import Gap
from model.losses import TaskLoss, thresholds_loss
from model.spec import THRESHOLDS


class CoralHead(RelevanceHead):
    """P(grade >= k) = sigmoid(w.h + b_k), one w for all k.

    CORAL (arXiv 1901.07884). The paper proves b_1 >= b_2 at the optimum; here the order holds for
    any parameters, since b_2 = b_1 - softplus(free). The tower's output is w.h + b_1. Pairs rank
    exactly as w.h.
    """

    outputs = 1

    def __init__(self, in_dim: int, conf: ModelConf) -> None:
        super().__init__(in_dim, conf)
        self.gap = Gap()

    def start_at(self, rates: Mapping[str, float]) -> None:
        """Set b_1 and b_2 to the log-odds of the label rates."""
        if all(grade in rates for grade in THRESHOLDS):
            ge_1, ge_2 = (compute_log_odds(rates[grade]) for grade in THRESHOLDS)
            set_bias(self.tower, [ge_1])
            self.gap.start_at(ge_1 - ge_2)

    def compute_threshold_logits(self, logits: Tensor) -> Tensor:
        """Map w.h + b_1 [B, 1] to logits of P(grade >= 1), P(grade >= 2) [B, 2]."""
        wide = logits.float()
        return torch.cat([wide, wide - self.gap()], dim=1)

    def compute_probabilities(self, logits: Tensor) -> Tensor:
        """Map w.h + b_1 [B, 1] to P(grade >= 1), P(grade >= 2) [B, 2], not increasing."""
        return torch.sigmoid(self.compute_threshold_logits(logits))

    def compute_loss(
        self, logits: Tensor, label_ge: Tensor, weight: Tensor, list_code: Tensor
    ) -> TaskLoss:
        """Compute the cross-entropy of both thresholds, see `thresholds_loss`."""
        return thresholds_loss(self.compute_threshold_logits(logits), label_ge, weight)
