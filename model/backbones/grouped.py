"""Several stacks of layers of equal widths, run side by side: experts, or the bottoms of tasks."""

import math

import torch
from torch import Tensor, nn

from conf.sections.model import ModelConf


class GroupedLinear(nn.Module):
    """G linear layers of equal widths: [G, B, in_dim] -> [G, B, out_dim], each group its own.

    Weights and biases start as torch's Linear does: uniform within 1 / sqrt(in_dim).
    """

    def __init__(self, groups: int, in_dim: int, out_dim: int) -> None:
        super().__init__()
        self.groups, self.in_dim, self.out_dim = groups, in_dim, out_dim
        self.weight = nn.Parameter(torch.empty(groups, in_dim, out_dim))
        # One dimension: the optimizer takes vectors for biases, which do not decay.
        self.bias = nn.Parameter(torch.empty(groups * out_dim))
        for parameter in (self.weight, self.bias):
            nn.init.uniform_(parameter, -1.0 / math.sqrt(in_dim), 1.0 / math.sqrt(in_dim))

    def forward(self, x: Tensor) -> Tensor:
        """Map [G, B, in_dim] to [G, B, out_dim]."""
        return torch.baddbmm(self.bias.view(self.groups, 1, self.out_dim), x, self.weight)


class GroupedStack(nn.Module):
    """What follows the first linear layer in G equal stacks of widths `conf.hidden`.

    ReLU (and dropout), then a linear layer, ReLU (and dropout) a further width.
    """

    def __init__(self, groups: int, conf: ModelConf) -> None:
        super().__init__()
        self.groups = groups
        layers = [nn.ReLU(), *_build_dropout(conf)]
        for in_dim, out_dim in zip(conf.hidden, conf.hidden[1:], strict=False):
            layers += [GroupedLinear(groups, in_dim, out_dim), nn.ReLU(inplace=True)]
            layers += _build_dropout(conf)
        self.layers = nn.Sequential(*layers)

    def forward(self, hidden: Tensor) -> Tensor:
        """Map [B, G * hidden[0]], one group's units after the other, to [G, B, hidden[-1]]."""
        outputs: Tensor = self.layers(split_groups(hidden, self.groups))
        return outputs


def split_groups(hidden: Tensor, groups: int) -> Tensor:
    """Reshape [B, G * H] to [G, B, H]."""
    return hidden.view(len(hidden), groups, -1).transpose(0, 1)


def _build_dropout(conf: ModelConf) -> list[nn.Module]:
    return [nn.Dropout(conf.dropout)] if conf.dropout > 0 else []
