"""Shared bottom: one stack of layers for all tasks (Caruana 1997)."""

from torch import Tensor, nn

from conf.sections.model import ModelConf
from model.backbones.base import Backbone
from model.layers import build_mlp


class SharedBottom(Backbone):
    """Linear and ReLU layers of widths `conf.hidden`; every task sees the same output."""

    shared = True

    def __init__(self, in_dim: int, tasks: tuple[str, ...], conf: ModelConf) -> None:
        super().__init__(in_dim, conf.hidden[-1], tasks)
        self.layers = build_mlp(in_dim, conf.hidden, conf.dropout)

    def first_linear(self) -> nn.Linear:
        """Give the first layer."""
        layer = self.layers[0]
        assert isinstance(layer, nn.Linear)
        return layer

    def after_first(self, hidden: Tensor) -> dict[str, Tensor]:
        """Map [B, hidden[0]] to the same [B, out_dim] for every task."""
        return dict.fromkeys(self.tasks, self.layers[1:](hidden))
