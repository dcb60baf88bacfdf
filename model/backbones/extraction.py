"""Layers of experts whose inputs are mixed by gates: what PLE and AdaTT have in common."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from conf.sections.training import ModelConf
from model.backbones.base import Backbone
from model.backbones.grouped import GroupedLinear, by_group


class Extraction(Backbone):
    """One layer a width of `conf.hidden`; an expert is a linear layer and ReLU (and dropout).

    A layer turns a row's sources, one vector each, into experts and gates, and mixes the experts
    into the sources of the next layer. The sources are the tasks, and whatever else a subclass
    keeps behind them; in the first layer each of them is the input.

    Attributes:
        owners: owners[e] is the source (index) that expert e reads, the same in every layer.
        gates: gates[l][s] is the width of the gate of source s in layer l.
    """

    def __init__(
        self,
        in_dim: int,
        tasks: tuple[str, ...],
        conf: ModelConf,
        owners: Sequence[int],
        gates: Sequence[Sequence[int]],
    ) -> None:
        super().__init__(in_dim, conf.hidden[-1], tasks)
        self.owners, self.gates = list(owners), [list(widths) for widths in gates]
        self.units = len(owners) * conf.hidden[0]
        self.first = nn.Linear(in_dim, self.units + sum(self.gates[0]))
        self.experts = nn.ModuleList(
            GroupedLinear(len(owners), *widths)
            for widths in zip(conf.hidden, conf.hidden[1:], strict=False)
        )
        self.later_gates = nn.ModuleList(
            nn.ModuleList(nn.Linear(dim, width) for width in widths)
            for dim, widths in zip(conf.hidden, self.gates[1:], strict=False)
        )
        self.dropout = nn.Dropout(conf.dropout)

    def first_linear(self) -> nn.Linear:
        """The first experts' linear layers, then the first gates, side by side."""
        return self.first

    def after_first(self, hidden: Tensor) -> dict[str, Tensor]:
        """[B, experts * hidden[0] + first gates] -> [B, out_dim] by task."""
        units, *logits = torch.split(hidden, [self.units, *self.gates[0]], dim=1)
        sources = self._layer(0, by_group(units, len(self.owners)), logits)
        for depth, (linear, gates) in enumerate(
            zip(self.experts, self.later_gates, strict=True), start=1
        ):
            assert isinstance(gates, nn.ModuleList)
            # The last layer's gates are the tasks': what stands behind them only feeds experts.
            logits = [gate(source) for gate, source in zip(gates, sources, strict=False)]
            given = torch.stack([sources[owner] for owner in self.owners])  # [E, B, H]
            sources = self._layer(depth, linear(given), logits)
        return dict(zip(self.tasks, sources, strict=True))

    def mix(self, depth: int, experts: Tensor, gates: Sequence[Tensor]) -> list[Tensor]:
        """Experts [E, B, H] and the gates [B, width] of the sources -> next sources [B, H] each.

        In the last layer: of the tasks only.
        """
        raise NotImplementedError

    def _layer(self, depth: int, before: Tensor, logits: Sequence[Tensor]) -> list[Tensor]:
        """From the experts' pre-activations [E, B, H] and the gates' logits."""
        gates = [torch.softmax(logit, dim=1) for logit in logits]
        return self.mix(depth, self.dropout(torch.relu(before)), gates)
