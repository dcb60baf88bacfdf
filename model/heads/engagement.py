"""Engagement towers: one probability a step of the funnel."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from conf.sections.training import ModelConf
from model.heads.position_bias import PositionBias
from model.layers import mlp
from model.losses.bernoulli import LogProb


class EngagementHead(nn.Module):
    """One tower a task over its representation, then the position bias.

    Each p_t is the probability of the step per impression (not given the step before).
    """

    def __init__(
        self, in_dim: int, tasks: tuple[str, ...], conf: ModelConf, bias: PositionBias
    ) -> None:
        super().__init__()
        self.tasks = tasks
        self.towers = nn.ModuleDict({task: tower(in_dim, 1, conf) for task in tasks})
        self.bias = bias

    def start_at(self, rates: Mapping[str, float]) -> None:
        """Set the last bias of each tower to the log-odds of the task's rate in the log."""
        for task in self.tasks:
            if task in rates:
                start_tower(self.towers[task], [rates[task]])

    def logits(self, by_task: Mapping[str, Tensor]) -> Tensor:
        """Representations [B, in_dim] by task -> logits at position 1 [B, T], tasks in order."""
        return torch.cat([self.towers[task](by_task[task]) for task in self.tasks], dim=1)

    def probabilities(self, logits: Tensor) -> Tensor:
        """Logits [B, T] -> probabilities at position 1 [B, T]."""
        return torch.sigmoid(logits.float())

    def forward(self, by_task: Mapping[str, Tensor], position: Tensor | None) -> LogProb:
        """Log-probabilities [B, T] at the positions [B]; None means position 1."""
        prob: LogProb = self.bias(self.logits(by_task), position)
        return prob


def tower(in_dim: int, outputs: int, conf: ModelConf) -> nn.Sequential:
    """The hidden layers of a tower and a linear output: [B, in_dim] -> [B, outputs]."""
    widths = (in_dim, *conf.tower)
    return nn.Sequential(*mlp(in_dim, conf.tower, conf.dropout), nn.Linear(widths[-1], outputs))


def start_tower(module: nn.Module, rates: list[float]) -> None:
    """Set the output biases of a tower to the log-odds of `rates` (kept within 1e-4 of 0, 1)."""
    last = list(module.children())[-1]
    assert isinstance(last, nn.Linear)
    kept = [min(max(rate, 1e-4), 1.0 - 1e-4) for rate in rates]
    with torch.no_grad():
        last.bias.copy_(torch.tensor([math.log(rate / (1.0 - rate)) for rate in kept]))
