"""MMoE: experts directly on the input, mixed by a gate of each task."""

import torch
from torch import Tensor, nn

from conf.sections.model import ModelConf
from model.backbones.base import Backbone
from model.backbones.grouped import GroupedStack, split_groups
from model.backbones.mixture import apply_softmax, mix_experts


class Mmoe(Backbone):
    """f_t(x) = sum_e g_t(x)_e * expert_e(x), g_t(x) = softmax(W_t x).

    Ma et al. (KDD 2018, eq. 5 to 7): the experts, `conf.experts` of widths `conf.hidden`, read
    the input itself, without a shared bottom before them. The paper's gates have no bias; ours
    do. Relevance, where there is one, is a task like the others: it has a gate of its own.
    """

    def __init__(self, in_dim: int, tasks: tuple[str, ...], conf: ModelConf) -> None:
        super().__init__(in_dim, conf.hidden[-1], tasks)
        self.widths = [conf.experts * conf.hidden[0], len(tasks) * conf.experts]
        self.first = nn.Linear(in_dim, sum(self.widths))
        self.stack = GroupedStack(conf.experts, conf)
        self.plan = tuple((t, e) for t in range(len(tasks)) for e in range(conf.experts))

    def first_linear(self) -> nn.Linear:
        """Give the experts' first layers, then the tasks' gates, side by side."""
        return self.first

    def after_first(self, hidden: Tensor) -> dict[str, Tensor]:
        """Map [B, E * hidden[0] + T * E] to [B, out_dim] by task."""
        units, logits = torch.split(hidden, self.widths, dim=1)
        experts = self.stack(units).unbind(0)  # E times [B, out_dim]
        gates = apply_softmax(split_groups(logits, len(self.tasks)))
        return dict(zip(self.tasks, mix_experts(gates, self.plan, experts), strict=True))
