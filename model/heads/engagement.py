"""Engagement towers: one probability a step of the funnel."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from conf.sections.model import ModelConf
from model.heads.links import Link, log_odds
from model.heads.position_bias import PositionBias
from model.layers import blocks, mlp
from model.losses.bernoulli import LogProb


class EngagementHead(nn.Module):
    """One tower a task over its representation, then the link and the position bias.

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
        self.towers = nn.ModuleDict({task: tower(in_dim, 1, conf) for task in tasks})
        self.bias, self.link = bias, link

    def start_at(self, rates: Mapping[str, float]) -> None:
        """Set the last bias of each tower so that the tasks start at their rates in the log.

        A task whose rate is not known starts at the rate of the step before it.
        """
        known: list[float] = []
        for task in self.tasks:
            known.append(rates.get(task, known[-1] if known else 0.5))
        for task, logit in zip(self.tasks, self.link.start(known), strict=True):
            set_bias(self.towers[task], [logit])

    def logits(self, by_task: Mapping[str, Tensor]) -> Tensor:
        """Representations [B, in_dim] by task -> the towers' own logits [B, T], tasks in order."""
        if self.link.linked_layers:
            return self._linked_logits(by_task)
        return torch.cat([self.towers[task](by_task[task]) for task in self.tasks], dim=1)

    def probabilities(self, logits: Tensor) -> Tensor:
        """Logits [B, T] -> probabilities at position 1 [B, T]."""
        return self.link.probabilities(logits)

    def forward(self, by_task: Mapping[str, Tensor], position: Tensor | None) -> LogProb:
        """Log-probabilities [B, T] at the positions [B]; None means position 1."""
        return self.link.log_prob(self.logits(by_task), position, self.bias)

    def _linked_logits(self, by_task: Mapping[str, Tensor]) -> Tensor:
        """The same where each hidden layer adds that of the task before; the logits do not yet."""
        logits: list[Tensor] = []
        before: list[Tensor] = []
        for task in self.tasks:
            hidden, outputs = by_task[task], []
            *inner, last = blocks(self.towers[task])
            for depth, block in enumerate(inner):
                hidden = block(hidden) + before[depth] if before else block(hidden)
                outputs.append(hidden)
            logits.append(last(hidden))
            before = outputs
        return torch.cat(logits, dim=1)


def tower(in_dim: int, outputs: int, conf: ModelConf) -> nn.Sequential:
    """The hidden layers of a tower and a linear output: [B, in_dim] -> [B, outputs]."""
    widths = (in_dim, *conf.tower)
    return nn.Sequential(*mlp(in_dim, conf.tower, conf.dropout), nn.Linear(widths[-1], outputs))


def start_tower(module: nn.Module, rates: list[float]) -> None:
    """Set the output biases of a tower to the log-odds of `rates` (kept within 1e-4 of 0, 1)."""
    set_bias(module, [log_odds(rate) for rate in rates])


def set_bias(module: nn.Module, values: list[float]) -> None:
    """Set the output biases of a tower."""
    last = list(module.children())[-1]
    assert isinstance(last, nn.Linear)
    with torch.no_grad():
        last.bias.copy_(torch.tensor(values))
