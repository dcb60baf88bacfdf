"""Losses summed over an epoch and over the processes of a training."""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from model.losses import TaskLoss, total_loss
from model.training.distributed import Ranks


class TrainingError(RuntimeError):
    """Training cannot go on; the message says at which epoch and why."""


class LabelMass:
    """Gives what a task's summed loss of a batch is divided by: the weight of a batch's labels.

    By epoch, it is the mean of that weight over the batches of the epoch so far: a label then
    counts the same in whatever batch it stands. By batch, ten graded rows among a thousand count as
    much as all the clicks of that batch, and a single one counts ten times as much as each of ten.
    """

    def __init__(self, by_epoch: bool) -> None:
        self._by_epoch, self._batches = by_epoch, 0
        self._seen: Tensor | None = None

    def compute_denominators(self, weight: Tensor) -> Tensor:
        """Compute what to divide each loss by, [losses], from the weight behind it in this batch,
        [losses]."""
        if not self._by_epoch:
            return weight
        self._batches += 1
        self._seen = weight if self._seen is None else self._seen + weight
        return self._seen / self._batches


class EpochSums:
    """Adds up losses and weights by task over an epoch, on the device."""

    def __init__(self, tasks: Iterable[str], ranks: Ranks) -> None:
        self.tasks, self.ranks = tuple(tasks), ranks
        self.sums = torch.zeros(len(self.tasks), 2, dtype=torch.float64, device=ranks.device)
        self._rows = torch.zeros((), dtype=torch.float64, device=ranks.device)

    @property
    def rows(self) -> int:
        """Rows read, padding not counted; of all processes after `check_finite`."""
        return int(self._rows.item())

    def add(self, losses: Mapping[str, TaskLoss], row_weight: Tensor) -> None:
        """Add one batch; `row_weight` [B] is 0 for padding."""
        rows = [torch.stack([losses[task].total, losses[task].weight]) for task in self.tasks]
        self.sums += torch.stack(rows).detach()
        self._rows += row_weight.sum()

    def check_finite(self, epoch: int, what: str) -> "EpochSums":
        """Sum over all processes; raises TrainingError where that is not finite."""
        self.sums, self._rows = self.ranks.all_sum(self.sums), self.ranks.all_sum(self._rows)
        if not bool(torch.isfinite(self.sums).all()):
            raise TrainingError(
                f"the {what} loss of epoch {epoch} is not finite: {self.compute_means()}"
            )
        return self

    def compute_means(self) -> dict[str, float | None]:
        """Compute the mean loss by task; None where no label was known."""
        pairs = zip(self.tasks, self.sums.tolist(), strict=True)
        return {task: total / weight if weight > 0 else None for task, (total, weight) in pairs}

    def compute_total(self, weights: Mapping[str, float]) -> float:
        """Compute the weighted sum over tasks, as in training."""
        split: dict[str, TaskLoss] = {
            task: TaskLoss(pair[0], pair[1])
            for task, pair in zip(self.tasks, self.sums, strict=True)
        }
        return float(total_loss(split, weights))
