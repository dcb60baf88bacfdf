"""SEQ: the funnel's steps are the time steps of a recurrent unit over one common input."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from conf.sections.model import ModelConf
from model.backbones.base import Backbone
from model.layers import build_mlp


class Seq(Backbone):
    """u = bottom(x); h_t = GRU([u ; e_t], h_{t-1}), h_0 = 0; step t reads h_t.

    After SEQ of arXiv 2408.13357: click, cart, purchase are the steps of a GRU over one common
    input, whose state carries what the easy steps know to the hard ones. That paper's dimensions
    are not public; the bottom (widths `conf.hidden`), the embedding e_t of the step and h_0 = 0
    are our choice. Relevance, where there is one, reads u: it gets the common layers and nothing
    of the steps.

    u and h_t are both [B, hidden[-1]].
    """

    own_descending = 0.6  # The regulariser has no public weight: AITM's is our choice.

    def __init__(self, in_dim: int, tasks: tuple[str, ...], conf: ModelConf) -> None:
        super().__init__(in_dim, conf.hidden[-1], tasks)
        self.bottom = build_mlp(in_dim, conf.hidden, conf.dropout)
        self.embedding = nn.Parameter(torch.randn(len(self.steps), conf.task_embedding))
        self.cell = nn.GRUCell(self.out_dim + conf.task_embedding, self.out_dim)

    def first_linear(self) -> nn.Linear:
        """Give the bottom's first layer."""
        layer = self.bottom[0]
        assert isinstance(layer, nn.Linear)
        return layer

    def after_first(self, hidden: Tensor) -> dict[str, Tensor]:
        """Map [B, hidden[0]] to [B, out_dim] by task."""
        u = self.bottom[1:](hidden)
        by_task = dict.fromkeys(self.tasks, u)
        for step, state in zip(self.steps, self._compute_states(u), strict=True):
            by_task[step] = state
        return by_task

    def _compute_states(self, u: Tensor) -> list[Tensor]:
        """Compute h_1 .. h_T, [B, out_dim] each, from u [B, out_dim].

        The same as torch's GRUCell (Cho et al. 2014) on [u ; e_t], without its repeated work: the
        product with u is the same at every step, that with e_t is a vector, and h_0 = 0 needs
        no product.
        """
        cell, gates = self.cell, [2 * self.out_dim, self.out_dim]
        common, of_step = cell.weight_ih.tensor_split([self.out_dim], dim=1)
        u_gates, u_new = torch.split(functional.linear(u, common), gates, dim=1)
        given = functional.linear(self.embedding, of_step, cell.bias_ih)  # [T, 3 * out_dim]
        states: list[Tensor] = []
        for step_gates, step_new in zip(*torch.split(given, gates, dim=1), strict=True):
            of_state = cell.bias_hh.to(given.dtype)  # autocast leaves a bare bias as it is
            if states:
                of_state = functional.linear(states[-1], cell.weight_hh, cell.bias_hh)
            h_gates, h_new = torch.split(of_state, gates, dim=-1)
            both = torch.sigmoid(u_gates + (h_gates + step_gates))
            reset, update = both.chunk(2, dim=1)
            new = torch.tanh(torch.addcmul(u_new + step_new, reset, h_new))
            states.append(torch.lerp(new, states[-1], update) if states else new - update * new)
        return states
