"""SEQ: the funnel's steps are the time steps of a recurrent unit over one common input."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from conf.sections.training import ModelConf
from model.backbones.base import Backbone
from model.layers import mlp


class Seq(Backbone):
    """u = bottom(x); h_t = GRU([u ; e_t], h_{t-1}), h_0 = 0; step t reads h_t.

    After SEQ of arXiv 2408.13357: click, cart, purchase are the steps of a GRU over one common
    input, whose state carries what the easy steps know to the hard ones. That paper's dimensions
    are not public; the bottom (widths `conf.hidden`), the embedding e_t of the step and h_0 = 0
    are our choice. Relevance, where there is one, reads u: it gets the common layers and nothing
    of the steps.

    u and h_t are both [B, hidden[-1]].
    """

    def __init__(self, in_dim: int, tasks: tuple[str, ...], conf: ModelConf) -> None:
        super().__init__(in_dim, conf.hidden[-1], tasks)
        self.bottom = mlp(in_dim, conf.hidden, conf.dropout)
        self.embedding = nn.Parameter(torch.randn(len(self.steps), conf.task_embedding))
        self.cell = nn.GRUCell(self.out_dim + conf.task_embedding, self.out_dim)

    def first_linear(self) -> nn.Linear:
        """The bottom's first layer."""
        layer = self.bottom[0]
        assert isinstance(layer, nn.Linear)
        return layer

    def after_first(self, hidden: Tensor) -> dict[str, Tensor]:
        """[B, hidden[0]] -> [B, out_dim] by task."""
        u = self.bottom[1:](hidden)
        by_task = dict.fromkeys(self.tasks, u)
        for step, state in zip(self.steps, self._states(u), strict=True):
            by_task[step] = state
        return by_task

    def _states(self, u: Tensor) -> list[Tensor]:
        """h_1 .. h_T, [B, out_dim] each, from u [B, out_dim].

        The cell's input is the same at every step but for e_t, so its product with u is made
        once, and with h_0 = 0 the first step needs no product with a state.
        """
        cell = self.cell
        common, own = cell.weight_ih.tensor_split([self.out_dim], dim=1)
        of_u = functional.linear(u, common, cell.bias_ih)  # [B, 3 * out_dim]
        of_step = functional.linear(self.embedding, own)  # [T, 3 * out_dim]
        of_state = cell.bias_hh.expand(len(u), -1)
        states: list[Tensor] = []
        for t in range(len(self.steps)):
            if states:
                of_state = functional.linear(states[-1], cell.weight_hh, cell.bias_hh)
            states.append(self._step(of_u + of_step[t], of_state, states[-1] if states else None))
        return states

    def _step(self, given: Tensor, of_state: Tensor, before: Tensor | None) -> Tensor:
        """One step of torch's GRUCell (Cho et al. 2014) from its two products, [B, 3 * out_dim]."""
        gates = 2 * self.out_dim
        reset, update = torch.sigmoid(given[:, :gates] + of_state[:, :gates]).chunk(2, dim=1)
        new = torch.tanh(torch.addcmul(given[:, gates:], reset, of_state[:, gates:]))
        if before is None:
            return new - update * new
        return torch.lerp(new, before, update)
