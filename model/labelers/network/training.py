"""Fine-tuning of a network over pairs: AdamW, warm-up, linear decay; validation chooses the epoch.

A network here is a module with a `trunk` (the base model) that maps model inputs [B, T] to the
logits [B, 2] of CORN's chain: q_k = P(grade >= k | grade >= k - 1) (arXiv 2111.08851), so that
P(grade >= 1) >= P(grade >= 2) always.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from conf.sections.labelers.fine_tuning import FineTuningConf
from model.arrays import Floats
from model.labelers.fitting import is_clearly_worse
from model.labelers.network.machine import FineTuning, fix_seed, use_threads
from model.labelers.network.reading import compute_logits, compute_losses
from model.labelers.network.token_pairs import (
    Rows,
    TokenPairs,
    draw_batches,
)
from model.losses import corn_loss
from model.training.progress import EpochBar

_CLIP = 1.0
"""Largest norm of a step's gradient, as in BERT's fine-tuning."""


@dataclass(frozen=True)
class ChosenEpoch:
    """How a fine-tuning went.

    Attributes:
        history: losses (nats) by epoch.
        epoch: whose weights stayed, from 1; 0: those before the training.
        epochs: that the step size fell over (count).
    """

    history: list[dict[str, float]]
    epoch: int
    epochs: int


def fine_tune(
    network: nn.Module,
    train: TokenPairs,
    judged: TokenPairs,
    run: FineTuning,
    judge_start: bool = False,
) -> ChosenEpoch:
    """Train in place; validation chooses the epoch.

    Of the epochs whose validation loss is within a standard error of the lowest, the weights of the
    last one stay: the step size falls to nothing, and what the last steps lose in calibration a
    mixture gains from their better ranking.

    Args:
        judge_start: true: the network as it is given may be chosen, too.
    """
    weight = judged.targets.weight
    history: list[dict[str, float]] = []
    weights: dict[str, Tensor] = {}
    lowest: Floats | None = None
    stayed = 0

    def judge(epoch: int, **losses_of_epoch: float) -> None:
        nonlocal weights, lowest, stayed
        logits = compute_logits(network, judged, run)
        losses = compute_losses(logits, judged)
        mean = float(np.average(losses, weights=weight))
        history.append({"epoch": epoch, **losses_of_epoch, "validation_loss": mean})
        if lowest is None or not is_clearly_worse(losses, lowest, weight):
            weights, stayed = copy_learnt(network), epoch
        if mean <= min(entry["validation_loss"] for entry in history):
            lowest = losses

    network.to(run.device)
    if judge_start:
        judge(0)
    epochs = max(run.conf.epochs, -(-run.conf.min_steps // _count_steps(train, run)))
    _run_epochs(network, train, run, epochs, epochs, lambda epoch, loss: judge(epoch, loss=loss))
    network.load_state_dict(weights, strict=False)
    return ChosenEpoch(history, stayed, epochs)


def repeat_fine_tuning(
    network: nn.Module, train: TokenPairs, run: FineTuning, chosen: ChosenEpoch
) -> list[float]:
    """Train in place as before up to the chosen epoch; training losses (nats) by epoch."""
    losses: list[float] = []
    network.to(run.device)
    _run_epochs(
        network, train, run, chosen.epoch, chosen.epochs, lambda _, loss: losses.append(loss)
    )
    return losses


def copy_learnt(network: nn.Module) -> dict[str, Tensor]:
    """Copy the weights that are trained to the CPU; what is frozen is in the base model."""
    trained = ((name, p) for name, p in network.named_parameters() if p.requires_grad)
    return {name: p.detach().cpu().clone() for name, p in trained}


def _run_epochs(
    network: nn.Module,
    train: TokenPairs,
    run: FineTuning,
    count: int,
    schedule_length: int,
    after_epoch: Callable[[int, float], None],
) -> None:
    """Run `count` epochs of a schedule of `schedule_length` epochs.

    Args:
        after_epoch: is told the number of each epoch, from 1, and its training loss (nats).
    """
    optimizer = _build_optimizer(network, run.conf)
    schedule = _build_schedule(
        optimizer, _count_steps(train, run) * schedule_length, run.conf.warmup
    )
    with fix_seed(run.seed), use_threads(run.conf.threads):
        for epoch in range(1, count + 1):
            bar = EpochBar(epoch, schedule_length, _count_steps(train, run), shown=True)
            after_epoch(epoch, _run_epoch(network, train, run, epoch, optimizer, schedule, bar))


def _count_steps(train: TokenPairs, run: FineTuning) -> int:
    """Count the steps of an epoch."""
    return -(-len(train) // run.conf.batch_size)


def _run_epoch(
    network: nn.Module,
    train: TokenPairs,
    run: FineTuning,
    epoch: int,
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
    bar: EpochBar,
) -> float:
    """Run one pass over the pairs; gives the mean training loss (nats)."""
    network.train()
    trained = [p for group in optimizer.param_groups for p in group["params"]]
    total = torch.zeros(())
    with bar:
        for rows in draw_batches(train.lengths, run.conf.batch_size, run.seed * 1_000 + epoch):
            optimizer.zero_grad(set_to_none=True)
            loss = _add_gradients(network, train, rows, run)
            nn.utils.clip_grad_norm_(trained, _CLIP)
            optimizer.step()
            schedule.step()
            total += loss.cpu()
            bar.step(loss)
    return float(total / train.weight.sum())


def _add_gradients(network: nn.Module, train: TokenPairs, rows: Rows, run: FineTuning) -> Tensor:
    """Add up the gradients of a step's pairs, a part after the other; the loss, summed (nats)."""
    weight_of_step = train.weight[rows].sum().clamp(min=1e-6)
    total = torch.zeros((), device=run.device)
    for part in np.array_split(rows, min(run.conf.accumulation, len(rows))):
        labels, weight = train.labels[part].to(run.device), train.weight[part].to(run.device)
        with torch.autocast(run.device, torch.bfloat16, enabled=run.autocast):
            logits = network(train.build_batch(part, run.device)).float()
        loss = corn_loss(logits, labels, weight).total
        torch.autograd.backward(loss / weight_of_step.to(run.device))
        total += loss.detach()
    return total


def _build_optimizer(network: nn.Module, conf: FineTuningConf) -> torch.optim.Optimizer:
    """Build AdamW; decay on matrices only, a step size of its own for what stands beside the
    trunk."""
    trained = [(name, p) for name, p in network.named_parameters() if p.requires_grad]
    groups = [
        {
            "params": [
                p
                for name, p in trained
                if name.startswith("trunk.") == of_trunk and (p.ndim > 1) == matrix
            ],
            "lr": conf.learning_rate if of_trunk else conf.head_learning_rate,
            "weight_decay": conf.weight_decay if matrix else 0.0,
        }
        for of_trunk in (True, False)
        for matrix in (True, False)
    ]
    return torch.optim.AdamW([group for group in groups if group["params"]], fused=True)


def _build_schedule(
    optimizer: torch.optim.Optimizer, steps: int, warmup: float
) -> torch.optim.lr_scheduler.LRScheduler:
    """Build the schedule: the step size rises to the conf's over the warm-up, then falls linearly
    to 0."""
    rising = max(1, round(warmup * steps))

    def compute_factor(step: int) -> float:
        return min((step + 1) / rising, (steps - step) / max(1, steps - rising))

    return torch.optim.lr_scheduler.LambdaLR(optimizer, compute_factor)
