"""How the losses of a batch are balanced: one interface for the trainer, chosen by conf."""

from collections.abc import Callable, Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn

from model.losses.base import TaskLoss, total_loss
from model.training.distributed import Ranks

Losses = Mapping[str, TaskLoss]


class StaticBalance(nn.Module):
    """sum_t w_t * mean loss_t, the weights from conf.

    Plain weighted sums match special multi-task optimisers where both are tuned
    (arXiv 2201.04122), so this is the default.

    Attributes:
        tasks: tasks with labels; other losses are penalties.
        weights: static weight by loss; 1 where it is not named.
    """

    def __init__(self, tasks: Sequence[str], weights: Mapping[str, float]) -> None:
        super().__init__()
        self.tasks, self.weights = tuple(tasks), dict(weights)

    def backward(
        self,
        losses: Losses,
        denominators: Mapping[str, Tensor],
        parameters: Iterable[nn.Parameter],
        ranks: Ranks,
    ) -> Tensor:
        """Give the ranker's parameters, and this module's own, the gradients of one batch.

        Args:
            losses: by name, of this process.
            denominators: weight behind each loss, summed over all processes.
            parameters: of the ranker, their gradients empty.
            ranks: the processes of the training; they average the ranker's gradients.

        Returns:
            The balanced loss of this process, a scalar; over all processes they add up.
        """
        loss = self.combine_losses(losses, denominators, ranks)
        # Processes average their gradients, and the loss is already divided by the weight of all
        # of them: times the processes makes it their sum.
        (loss * ranks.size).backward()  # type: ignore[no-untyped-call]
        for parameter in self.parameters():
            if parameter.grad is not None:
                parameter.grad = ranks.all_sum(parameter.grad) / ranks.size
        return loss.detach()

    def combine_losses(
        self, losses: Losses, denominators: Mapping[str, Tensor], ranks: Ranks
    ) -> Tensor:
        """Combine the losses of this process to a balanced scalar with its graph."""
        return total_loss(losses, self.weights, denominators)


class UncertaintyBalance(StaticBalance):
    """sum_t exp(-s_t) * w_t * mean loss_t + s_t / 2, with s_t learnt, from 0 on.

    Kendall, Gal and Cipolla (CVPR 2018, arXiv 1705.07115): s_t = log sigma_t^2 is the noise of the
    task; the form is theirs for classification (eq. 10), used here for every task. A task without
    labels in the batch, or with static weight 0, leaves its s_t alone. Penalties keep their static
    weight: they have no noise of their own.
    """

    def __init__(self, tasks: Sequence[str], weights: Mapping[str, float]) -> None:
        super().__init__(tasks, weights)
        self.log_variance = nn.Parameter(torch.zeros(len(self.tasks)))

    def combine_losses(
        self, losses: Losses, denominators: Mapping[str, Tensor], ranks: Ranks
    ) -> Tensor:
        """Combine the losses of this process; each process adds its part of s_t / 2."""
        scaled, spread = dict(losses), self.log_variance.new_zeros(())
        for task, s in zip(self.tasks, self.log_variance, strict=True):
            if self.weights.get(task, 1.0) > 0:
                scaled[task] = TaskLoss(torch.exp(-s) * losses[task].total, losses[task].weight)
                spread = spread + (denominators[task] > 0) * s / 2.0
        return total_loss(scaled, self.weights, denominators) + spread / ranks.size


Gradients = list[Tensor]


class PcgradBalance(StaticBalance):
    """Projects each task's gradient off those that it conflicts with, then adds them up.

    Yu et al. (NeurIPS 2020, arXiv 2001.06782, algorithm 1) on the gradients of w_t * mean loss_t.
    Only parameters that more than one task reaches take part, as one long vector; others get
    their task's gradient, and penalties are added as they are. It costs one backward pass per loss,
    and needs one process alone: `TrainerConf` refuses more.
    """

    def backward(
        self,
        losses: Losses,
        denominators: Mapping[str, Tensor],
        parameters: Iterable[nn.Parameter],
        ranks: Ranks,
    ) -> Tensor:
        """See `StaticBalance.backward`."""
        learnt = [p for p in parameters if p.requires_grad]
        parts = {n: total_loss({n: loss}, self.weights, denominators) for n, loss in losses.items()}
        by_loss = {name: _compute_gradients(part, learnt) for name, part in parts.items()}
        reached = [[g is not None for g in by_loss[task]] for task in self.tasks]
        shared = [i for i, tasks in enumerate(zip(*reached, strict=True)) if sum(tasks) > 1]
        filled = {name: _fill_zeros(gradients, learnt) for name, gradients in by_loss.items()}
        if shared:
            _project_in_place([filled[task] for task in self.tasks], shared)
        for parameter, gradients in zip(learnt, zip(*filled.values(), strict=True), strict=True):
            parameter.grad = torch.stack(gradients).sum(dim=0)
        return torch.stack(list(parts.values())).sum().detach()


def project_conflicts(gradients: Tensor) -> Tensor:
    """Project each row off its conflicts with the other rows: [T, P] -> [T, P].

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
    for gradients, row in zip(by_task, project_conflicts(flat), strict=True):
        for i, piece in zip(shared, torch.split(row, sizes), strict=True):
            gradients[i] = piece.view_as(gradients[i])


def _compute_gradients(loss: Tensor, parameters: Sequence[nn.Parameter]) -> list[Tensor | None]:
    """Compute the gradient of each parameter, None where the loss does not reach it; the graph is
    kept."""
    return list(torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True))


def _fill_zeros(
    gradients: Sequence[Tensor | None], parameters: Sequence[nn.Parameter]
) -> Gradients:
    pairs = zip(gradients, parameters, strict=True)
    return [torch.zeros_like(p) if g is None else g for g, p in pairs]


BALANCES: dict[str, Callable[[Sequence[str], Mapping[str, float]], StaticBalance]] = {
    "static": StaticBalance,
    "uncertainty": UncertaintyBalance,
    "pcgrad": PcgradBalance,
}
"""Balance by conf name: (tasks with labels, static weights) -> module."""
