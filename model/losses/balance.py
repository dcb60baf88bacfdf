"""How the losses of a batch are balanced: one interface for the trainer, chosen by conf."""

from collections.abc import Iterable, Mapping, Sequence

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
        behind: Mapping[str, Tensor],
        parameters: Iterable[nn.Parameter],
        ranks: Ranks,
    ) -> Tensor:
        """Give the ranker's parameters, and this module's own, the gradients of one batch.

        Args:
            losses: by name, of this process.
            behind: weight behind each loss, summed over all processes.
            parameters: of the ranker, their gradients empty.
            ranks: the processes of the training; they average the ranker's gradients.

        Returns:
            The balanced loss of this process, a scalar; over all processes they add up.
        """
        loss = self.combined(losses, behind, ranks)
        # Processes average their gradients, and the loss is already divided by the weight of all
        # of them: times the processes makes it their sum.
        (loss * ranks.size).backward()  # type: ignore[no-untyped-call]
        for parameter in self.parameters():
            if parameter.grad is not None:
                parameter.grad = ranks.all_sum(parameter.grad) / ranks.size
        return loss.detach()

    def combined(self, losses: Losses, behind: Mapping[str, Tensor], ranks: Ranks) -> Tensor:
        """The balanced loss of this process, a scalar with its graph."""
        return total_loss(losses, self.weights, behind)

    def weight(self, name: str) -> float:
        """The static weight of a loss."""
        return self.weights.get(name, 1.0)


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

    def combined(self, losses: Losses, behind: Mapping[str, Tensor], ranks: Ranks) -> Tensor:
        """The balanced loss of this process; each process adds its share of s_t / 2."""
        scaled, spread = dict(losses), self.log_variance.new_zeros(())
        for task, s in zip(self.tasks, self.log_variance, strict=True):
            if self.weight(task) > 0:
                scaled[task] = TaskLoss(torch.exp(-s) * losses[task].total, losses[task].weight)
                spread = spread + (behind[task] > 0) * s / 2.0
        return total_loss(scaled, self.weights, behind) + spread / ranks.size
