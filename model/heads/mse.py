"""Squared error: a linear expected grade, probabilities read off it."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from conf.sections.model import ModelConf
from model.heads.base import RelevanceHead
from model.heads.engagement import set_bias
from model.heads.links import compute_log_odds
from model.heads.ordered import Gap
from model.losses import TaskLoss, squared_error, thresholds_loss
from model.spec import THRESHOLDS

_STEEPNESS = 4.0
"""Slope of the read-out at the start: a grade more moves a threshold from 12 % to 88 %."""


class MseHead(RelevanceHead):
    """e = f(h), trained by (e - expected grade of the label)**2 alone.

    Squared error gives no probabilities, so a read-out is fitted beside it, on e as it is (no
    gradient into the network): P(grade >= k) = sigmoid(a (e - t_k)), a > 0, t_1 < t_2, three
    parameters under the cross-entropy of both thresholds. It rises strictly in e for every k, so
    pairs rank exactly as e.
    """

    outputs = 1

    def __init__(self, in_dim: int, conf: ModelConf) -> None:
        super().__init__(in_dim, conf)
        self.free_steepness = nn.Parameter(torch.full((1,), math.log(math.expm1(_STEEPNESS))))
        self.threshold = nn.Parameter(torch.full((1,), 0.5))
        self.gap = Gap()

    def start_at(self, rates: Mapping[str, float]) -> None:
        """Set e to the mean grade, and the thresholds so that its read-out gives the rates."""
        if all(grade in rates for grade in THRESHOLDS):
            ge_1, ge_2 = (compute_log_odds(rates[grade]) for grade in THRESHOLDS)
            mean = sum(rates[grade] for grade in THRESHOLDS)
            set_bias(self.tower, [mean])
            with torch.no_grad():
                self.threshold.fill_(mean - ge_1 / _STEEPNESS)
            self.gap.start_at((ge_1 - ge_2) / _STEEPNESS)

    def read_out(self, expected: Tensor) -> Tensor:
        """Map expected grades [B, 1] to logits of P(grade >= 1), P(grade >= 2) [B, 2]."""
        steepness = functional.softplus(self.free_steepness)
        above = expected.float() - self.threshold
        return steepness * torch.cat([above, above - self.gap()], dim=1)

    def compute_probabilities(self, logits: Tensor) -> Tensor:
        """Map expected grades [B, 1] to P(grade >= 1), P(grade >= 2) [B, 2], not increasing."""
        return torch.sigmoid(self.read_out(logits))

    def compute_loss(
        self, logits: Tensor, label_ge: Tensor, weight: Tensor, list_code: Tensor
    ) -> TaskLoss:
        """Compute the squared error of e plus the cross-entropy of the read-out, whose gradient
        stops at e."""
        squared = squared_error(logits[:, 0], label_ge, weight)
        fitted = thresholds_loss(self.read_out(logits.detach()), label_ge, weight)
        return TaskLoss(squared.total + fitted.total, squared.weight)
