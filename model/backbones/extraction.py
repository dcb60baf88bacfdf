"""Layers of experts whose inputs are mixed by gates: what PLE and AdaTT have in common."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from conf.sections.model import ModelConf
from model.backbones.base import Backbone
from model.backbones.grouped import GroupedLinear, split_groups
from model.backbones.mixture import apply_softmax, mix_experts


class Extraction(Backbone):
    """One layer per width of `conf.hidden`; an expert is a linear layer and ReLU (and dropout).

    In each layer every task has experts and a gate that read what the task got from the layer
    before (the input at first). There may be shared experts, which read what the shared gate of
    the layer before mixed from all experts (the input at first); the last layer has no such gate.
    A gate is a softmax of a linear layer.

    Attributes:
        task_experts: experts of a task and layer (count).
        common: shared experts of a layer (count).
        mixed: by task, the experts that its gate mixes, as many for each task: indices in the
            row of the tasks' own experts, task by task, and the shared ones behind them.
    """

    def __init__(
        self,
        in_dim: int,
        tasks: tuple[str, ...],
        conf: ModelConf,
        task_experts: int,
        common: int,
        mixed: Sequence[Sequence[int]],
    ) -> None:
        super().__init__(in_dim, conf.hidden[-1], tasks)
        self.task_experts, self.common, self.hidden = task_experts, common, conf.hidden
        count, self.gate = len(tasks), len(mixed[0])
        every = count * task_experts + common
        self.plan = tuple((t, e) for t, experts in enumerate(mixed) for e in experts)
        self.shared_plan = tuple((count, e) for e in range(every))
        last = len(conf.hidden) - 1
        gates = [every if common and depth < last else 0 for depth in range(last + 1)]
        of_shared = [common * h + gate for h, gate in zip(conf.hidden, gates, strict=True)]
        self.pieces = [count * task_experts * conf.hidden[0], count * self.gate, of_shared[0]]
        self.first = nn.Linear(in_dim, sum(self.pieces))
        self.of_tasks = nn.ModuleList(
            GroupedLinear(count, before, task_experts * width + self.gate)
            for before, width in zip(conf.hidden, conf.hidden[1:], strict=False)
        )
        self.of_shared = nn.ModuleList(
            nn.Linear(before, width)
            for before, width in zip(conf.hidden, of_shared[1:], strict=False)
            if common
        )
        self.dropout = nn.Dropout(conf.dropout)

    def weight_experts(self, depth: int, gates: Tensor) -> Tensor:
        """Give the factors of the experts from the tasks' gates [T * gate, B]: the gates
        themselves."""
        return gates

    def first_linear(self) -> nn.Linear:
        """Give one layer of the tasks' experts, the tasks' gates, the shared experts and their
        gate, side by side."""
        return self.first

    def after_first(self, hidden: Tensor) -> dict[str, Tensor]:
        """Map [B, all experts * hidden[0] + all gates] to [B, out_dim] by task."""
        count = len(self.tasks)
        units, logits, shared = torch.split(hidden, self.pieces, dim=1)
        outputs = self._mix_layer(
            0, split_groups(units, count), split_groups(logits, count), shared
        )
        for depth, of_tasks in enumerate(self.of_tasks, start=1):
            of_task = of_tasks(torch.stack(outputs[:count]))  # [T, B, task_experts * H + gate]
            units, logits = torch.split(of_task, [of_task.shape[2] - self.gate, self.gate], dim=2)
            if self.common:
                shared = self.of_shared[depth - 1](outputs[count])
            outputs = self._mix_layer(depth, units, logits, shared)
        return dict(zip(self.tasks, outputs, strict=True))

    def _mix_layer(self, depth: int, units: Tensor, logits: Tensor, shared: Tensor) -> list[Tensor]:
        """Run one layer of experts.

        Args:
            depth: of the layer, from 0.
            units: [T, B, task_experts * H] of the tasks' experts.
            logits: [T, B, gate] of the tasks' gates.
            shared: [B, ...] units of the shared experts, then the logits of their gate.

        Returns:
            What each task gets, then what the shared experts get, [B, H] each.
        """
        active = self.dropout(torch.relu(units))
        experts = [e for task in active.unbind(0) for e in task.chunk(self.task_experts, dim=1)]
        gates, plan = self.weight_experts(depth, apply_softmax(logits)), self.plan
        if self.common:
            width = self.common * self.hidden[depth]
            common, logits = torch.split(shared, [width, shared.shape[1] - width], dim=1)
            experts += self.dropout(torch.relu(common)).chunk(self.common, dim=1)
            if logits.shape[1]:
                gates = torch.cat([gates, apply_softmax(logits.unsqueeze(0))])
                plan = plan + self.shared_plan
        return mix_experts(gates, plan, experts)
