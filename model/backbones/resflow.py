"""ResFlow: a step's layers add those of the step before."""

import torch
from torch import Tensor, nn

from conf.sections.model import ModelConf
from model.backbones.base import Backbone
from model.backbones.grouped import GroupedLinear, split_groups


class Resflow(Backbone):
    """h_t^l = ReLU(W_t^l h_t^{l-1} + b_t^l) + h_{t-1}^l; step t reads its last layer.

    ResFlow (arXiv 2411.09705): residual links between the same layers of consecutive tasks'
    networks, here of widths `conf.hidden` over the common input. The links of the tower's layers
    and of the logits are the head's `residual` link, which is this backbone's own. That the sum
    is taken after the ReLU (and dropout) is our choice. Relevance, where there is one, has a
    network of its own without links.
    """

    own_link = "residual"

    def __init__(self, in_dim: int, tasks: tuple[str, ...], conf: ModelConf) -> None:
        super().__init__(in_dim, conf.hidden[-1], tasks)
        self.first = nn.Linear(in_dim, len(tasks) * conf.hidden[0])
        self.layers = nn.ModuleList(
            GroupedLinear(len(tasks), *widths)
            for widths in zip(conf.hidden, conf.hidden[1:], strict=False)
        )
        self.dropout = nn.Dropout(conf.dropout)

    def first_linear(self) -> nn.Linear:
        """Give the first layers of all networks, side by side."""
        return self.first

    def after_first(self, hidden: Tensor) -> dict[str, Tensor]:
        """Map [B, T * hidden[0]] to [B, out_dim] by task."""
        units = self._link_steps(split_groups(hidden, len(self.tasks)))
        for layer in self.layers:
            units = self._link_steps(layer(units))
        return dict(zip(self.tasks, units.unbind(0), strict=True))

    def _link_steps(self, before: Tensor) -> Tensor:
        """Map pre-activations [T, B, H] to outputs [T, B, H]; the links of all steps are one
        sum."""
        active = self.dropout(torch.relu(before))
        steps = active[: len(self.steps)].cumsum(dim=0)
        return torch.cat([steps, active[len(self.steps) :]])
