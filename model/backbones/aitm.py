"""AITM: what a step knows is handed on to the next one through attention."""

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from conf.sections.model import ModelConf
from model.backbones.base import Backbone
from model.backbones.grouped import GroupedStack


class Transfer(nn.Module):
    """z = sum over u in {q, p} of w_u * V u, w = softmax(<Q u, K u> / sqrt(H)).

    The adaptive information transfer of AITM (arXiv 2105.08489, eq. 4 to 6): p = g(z_before),
    g a linear layer and ReLU, [B, H] -> [B, H].
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim
        self.handed_on = nn.Linear(dim, dim)
        self.maps = nn.Linear(dim, 3 * dim, bias=False)

    def forward(self, q: Tensor, before: Tensor) -> Tensor:
        """Map q [B, H] of this step and z [B, H] of the step before to z of this step [B, H]."""
        p = functional.relu(self.handed_on(before))
        value, key, query = self.maps(torch.stack([q, p])).chunk(3, dim=2)  # [2, B, H] each
        scores = (key * query).sum(dim=2, keepdim=True) / math.sqrt(self.dim)
        z: Tensor = (torch.softmax(scores, dim=0) * value).sum(dim=0)
        return z


class Aitm(Backbone):
    """q_t = bottom_t(x), z_1 = q_1, z_t = Transfer(q_t, z_{t-1}); step t reads z_t.

    AITM (arXiv 2105.08489): one bottom per task (widths `conf.hidden`) over common embeddings. Its
    behavioural expectation calibrator is the penalty `descending` with its weight 0.6, this
    backbone's own. Relevance, where there is one, has a bottom of its own, takes nothing over
    from the steps and hands nothing on to them.
    """

    own_descending = 0.6  # Of the paper's calibrator.

    def __init__(self, in_dim: int, tasks: tuple[str, ...], conf: ModelConf) -> None:
        super().__init__(in_dim, conf.hidden[-1], tasks)
        self.first = nn.Linear(in_dim, len(tasks) * conf.hidden[0])
        self.bottoms = GroupedStack(len(tasks), conf)
        self.transfers = nn.ModuleList(Transfer(self.out_dim) for _ in self.steps[1:])

    def first_linear(self) -> nn.Linear:
        """Give the first layers of all bottoms, side by side."""
        return self.first

    def after_first(self, hidden: Tensor) -> dict[str, Tensor]:
        """Map [B, T * hidden[0]] to [B, out_dim] by task."""
        by_task = dict(zip(self.tasks, self.bottoms(hidden).unbind(0), strict=True))
        for transfer, (before, step) in zip(self.transfers, pairwise(self.steps), strict=True):
            by_task[step] = transfer(by_task[step], by_task[before])
        return by_task
