"""PCGrad: tasks whose gradients conflict give way to each other."""

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn

from model.losses.balance import Losses, StaticBalance
from model.losses.base import total_loss
from model.training.distributed import Ranks

Gradients = list[Tensor]


class PcgradBalance(StaticBalance):
    """Projects each task's gradient off those that it conflicts with, then adds them up.

    Yu et al. (NeurIPS 2020, arXiv 2001.06782, algorithm 1) on the gradients of w_t * mean loss_t.
    Only parameters that more than one task reaches take part, as one long vector; others get
    their task's gradient, and penalties are added as they are. It costs one backward pass a loss,
    and needs one process alone: `TrainerConf` refuses more.
    """

    def backward(
        self,
        losses: Losses,
        behind: Mapping[str, Tensor],
        parameters: Iterable[nn.Parameter],
        ranks: Ranks,
    ) -> Tensor:
        """See `StaticBalance.backward`."""
        learnt = [p for p in parameters if p.requires_grad]
        parts = {n: total_loss({n: loss}, self.weights, behind) for n, loss in losses.items()}
        found = {name: _gradients(part, learnt) for name, part in parts.items()}
        reached = [[g is not None for g in found[task]] for task in self.tasks]
        shared = [i for i, tasks in enumerate(zip(*reached, strict=True)) if sum(tasks) > 1]
        kept = {name: _zeros_for_none(gradients, learnt) for name, gradients in found.items()}
        if shared:
            _project_in_place([kept[task] for task in self.tasks], shared)
        for parameter, gradients in zip(learnt, zip(*kept.values(), strict=True), strict=True):
            parameter.grad = torch.stack(gradients).sum(dim=0)
        return torch.stack(list(parts.values())).sum().detach()


def projected(gradients: Tensor) -> Tensor:
    """Each row without its conflicts with the other rows: [T, P] -> [T, P].

    For row i and the others in a random order: g_i -= (g_i . g_j) / |g_j|^2 * g_j where
    g_i . g_j < 0, g_j being the row as given.
    """
    rows = []
    squares = (gradients * gradients).sum(dim=1)
    for i, row in enumerate(gradients):
        for j in torch.randperm(len(gradients)).tolist():
            product = torch.dot(row, gradients[j])
            if j != i and product < 0:
                row = row - product / squares[j] * gradients[j]
        rows.append(row)
    return torch.stack(rows)


def _project_in_place(by_task: Sequence[Gradients], shared: Sequence[int]) -> None:
    """Replace the gradients of the shared parameters (by index) in every task's list."""
    flat = torch.stack([torch.cat([g[i].flatten() for i in shared]) for g in by_task])  # [T, P]
    sizes = [by_task[0][i].numel() for i in shared]
    for gradients, row in zip(by_task, projected(flat), strict=True):
        for i, piece in zip(shared, torch.split(row, sizes), strict=True):
            gradients[i] = piece.view_as(gradients[i])


def _gradients(loss: Tensor, parameters: Sequence[nn.Parameter]) -> list[Tensor | None]:
    """Gradient of each parameter, None where the loss does not reach it; the graph is kept."""
    return list(torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True))


def _zeros_for_none(
    gradients: Sequence[Tensor | None], parameters: Sequence[nn.Parameter]
) -> Gradients:
    pairs = zip(gradients, parameters, strict=True)
    return [torch.zeros_like(p) if g is None else g for g, p in pairs]
