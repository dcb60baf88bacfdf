"""Engagement towers: one probability per step of the funnel."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from conf.sections.model import ModelConf
from model.heads.links import Link, compute_log_odds
from model.heads.position_bias import PositionBias
from model.layers import build_mlp, split_blocks
from model.losses.bernoulli import LogProb


class EngagementHead(nn.Module):
    """One tower per task over its representation, then the link and the position bias.

    Each p_t is the probability of the step per impression (not given the step before).
    """

    def __init__(
        self,
        in_dim: int,
        tasks: tuple[str, ...],
        conf: ModelConf,
        bias: PositionBias,
        link: Link,
    ) -> None:
        super().__init__()
        self.tasks = tasks
        self.towers = nn.ModuleDict({task: build_tower(in_dim, 1, conf) for task in tasks})
        self.bias, self.link = bias, link

    def start_at(self, rates: Mapping[str, float]) -> None:
        """Set the last bias of each tower so that the tasks start at their rates in the log.

        A task whose rate is not known starts at the rate of the step before it.
        """
        filled: list[float] = []
        for task in self.tasks:
            filled.append(rates.get(task, filled[-1] if filled else 0.5))
        for task, logit in zip(self.tasks, self.link.compute_start_logits(filled), strict=True):
            set_bias(self.towers[task], [logit])

    def compute_logits(self, by_task: Mapping[str, Tensor]) -> Tensor:
        """Map representations [B, in_dim] by task to the towers' own logits [B, T], tasks in
        order."""
        if self.link.linked_layers:
            return self._compute_linked_logits(by_task)
        return torch.cat([self.towers[task](by_task[task]) for task in self.tasks], dim=1)

    def compute_probabilities(self, logits: Tensor) -> Tensor:
        """Map logits [B, T] to probabilities at position 1 [B, T]."""
        return self.link.compute_probabilities(logits)

    def forward(self, by_task: Mapping[str, Tensor], position: Tensor | None) -> LogProb:
        """Compute the log-probabilities [B, T] at the positions [B]; None means position 1."""
        return self.link.compute_log_prob(self.compute_logits(by_task), position, self.bias)

    def _compute_linked_logits(self, by_task: Mapping[str, Tensor]) -> Tensor:
        """Compute the logits where each hidden layer adds that of the task before; the logits are
        not added up yet."""
        logits: list[Tensor] = []
        before: list[Tensor] = []
        for task in self.tasks:
            hidden, outputs = by_task[task], []
            *inner, last = split_blocks(self.towers[task])
            for depth, block in enumerate(inner):
                hidden = block(hidden) + before[depth] if before else block(hidden)
                outputs.append(hidden)
            logits.append(last(hidden))
            before = outputs
        return torch.cat(logits, dim=1)


def build_tower(in_dim: int, outputs: int, conf: ModelConf) -> nn.Sequential:
    """Build the hidden layers of a tower and a linear output: [B, in_dim] -> [B, outputs]."""
    widths = (in_dim, *conf.tower)
    return nn.Sequential(
        *build_mlp(in_dim, conf.tower, conf.dropout), nn.Linear(widths[-1], outputs)
    )


def start_tower(module: nn.Module, rates: list[float]) -> None:
    """Set the output biases of a tower to the log-odds of `rates` (kept within 1e-4 of 0, 1)."""
    set_bias(module, [compute_log_odds(rate) for rate in rates])


def set_bias(module: nn.Module, values: list[float]) -> None:
    """Set the output biases of a tower."""
    last = list(module.children())[-1]
    assert isinstance(last, nn.Linear)
    with torch.no_grad():
        last.bias.copy_(torch.tensor(values))
