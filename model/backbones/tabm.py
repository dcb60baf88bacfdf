"""TabM: several networks in one, which share their matrices and differ in scales and biases."""

import math

import torch
from torch import Tensor, nn

from conf.sections.model import ModelConf
from model.backbones.base import Backbone


class Adapter(nn.Module):
    """y_i = s_i * x_i + b_i of each member i, elementwise.

    Attributes:
        scale: [members * dim], s_1 to s_members one after the other. One dimension, as `bias`: the
            optimizer takes vectors for biases, which do not decay. Decay would pull the members
            towards units that are off.
    """

    def __init__(self, members: int, dim: int, read: int) -> None:
        """Start at s_i = 1, and at a bias as of torch's Linear with `read` inputs, the same for all
        members."""
        super().__init__()
        self.dim = dim
        self.scale = nn.Parameter(torch.ones(members * dim))
        drawn = torch.empty(dim).uniform_(-1.0 / math.sqrt(read), 1.0 / math.sqrt(read))
        self.bias = nn.Parameter(drawn.repeat(members))

    def start_signs(self) -> None:
        """Draw each scale from {-1, +1}."""
        with torch.no_grad():
            self.scale.bernoulli_(0.5).mul_(2.0).sub_(1.0)  # each as likely

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, members, dim], or [B, 1, dim] of what they share, to [B, members, dim]."""
        # Autocast leaves a bare parameter as it is.
        scale, bias = (p.to(x.dtype).view(-1, self.dim) for p in (self.scale, self.bias))
        return torch.addcmul(bias, x, scale)


class EnsembleLinear(nn.Module):
    """y_i = s_i * W (r_i * x_i) + b_i of each member i: BatchEnsemble (Wen, Tran and Ba, ICLR 2020,
    arXiv 2002.06715, eq. 5)."""

    def __init__(self, members: int, in_dim: int, out_dim: int) -> None:
        super().__init__()
        self.members = members
        # One dimension, as the adapter's.
        self.scale = nn.Parameter(torch.ones(members * in_dim))  # r_1 to r_members
        self.linear = nn.Linear(in_dim, out_dim, bias=False)
        self.adapter = Adapter(members, out_dim, in_dim)

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, members, in_dim] to [B, members, out_dim]."""
        read = x * self.scale.to(x.dtype).view(self.members, -1)
        y: Tensor = self.adapter(self.linear(read))
        return y


class Tabm(Backbone):
    """Linear and ReLU layers of widths `conf.hidden` for `conf.members` networks at once.

    TabM (Gorishniy, Kotelnikov and Babenko, ICLR 2025, arXiv 2410.24210): the members have each
    matrix in common, and scales and biases of their own (BatchEnsemble, arXiv 2002.06715). As in
    the paper only the first adapter is random, +1 or -1 (the authors' code draws it from N(0, 1)
    where inputs are embedded); all others start at 1, and the members' biases start equal. Ours
    differs in that the first adapter is the first layer's output scale (theirs: its input scale),
    so that the first product is the same for all members and scoring can compute a query's part of
    it once; that the members share the towers, too (theirs have a last layer each); and that scales
    do not decay. Conf's default is 8 members in place of their 32: all that follows the first
    product is done once per member.
    """

    shared = True

    def __init__(self, in_dim: int, tasks: tuple[str, ...], conf: ModelConf) -> None:
        super().__init__(in_dim, conf.hidden[-1], tasks)
        self.members = conf.members
        self.first = nn.Linear(in_dim, conf.hidden[0], bias=False)
        self.adapter = Adapter(conf.members, conf.hidden[0], in_dim)
        self.adapter.start_signs()
        layers: list[nn.Module] = [nn.ReLU(inplace=True), nn.Dropout(conf.dropout)]
        for before, width in zip(conf.hidden, conf.hidden[1:], strict=False):
            layers += [EnsembleLinear(conf.members, before, width), nn.ReLU(inplace=True)]
            layers.append(nn.Dropout(conf.dropout))
        self.layers = nn.Sequential(*layers)

    def first_linear(self) -> nn.Linear:
        """Give the first layer, which the members share; their biases come after it."""
        return self.first

    def after_first(self, hidden: Tensor) -> dict[str, Tensor]:
        """Map [B, hidden[0]] to the same [B * members, out_dim] for every task."""
        by_member: Tensor = self.layers(self.adapter(hidden.unsqueeze(1)))
        return dict.fromkeys(self.tasks, by_member.flatten(0, 1))
