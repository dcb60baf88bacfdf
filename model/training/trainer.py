"""Trains any model that keeps the contract of `model.ranker`: forward(batch) -> TaskLoss per task.

    train(task)        to the end, from the checkpoint in task.folder where there is one
    load_trained(task) the best weights

Every epoch seeds torch from (seed, epoch, rank), and the feed's order is a function of (seed,
epoch): a training that was killed and goes on from its last checkpoint gives the same weights,
bit for bit on CPU, as one that was not.
"""

import time
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from conf.sections.training import TrainerConf
from model.feed import Batch, RowSelection, count_steps, open_snapshot, read_batches, require_lists
from model.losses import TaskLoss
from model.losses.balance import BALANCES
from model.ranker import Ranker, build_ranker
from model.training.checkpoint import (
    Checkpoint,
    Progress,
    State,
    list_optimizer_tensors,
    load_checkpoint,
    restore_optimizer,
    save_checkpoint,
)
from model.training.distributed import Ranks, choose_arithmetic, join_ranks
from model.training.epoch import EpochSums, LabelMass, TrainingError
from model.training.progress import EpochBar
from model.training.schedule import Schedule
from model.training.start import load_start
from model.training.task import TrainTask
from model.training.tracking import write_lines

POSITION_TOWER = "engagement.bias."
"""Start of the names of the position tower's parameters in a ranker."""


def train(task: TrainTask) -> None:
    """Train to the end of the schedule or, with conf keep `best`, until no epoch is better.

    Raises:
        FeedError: an epoch did not read the manifest's rows.
        ListError: the relevance head needs whole lists, which conf or snapshot do not give.
        StartError: the model to begin with has other features, regions, architecture or statistics.
        TrainingError: the loss is not finite.
    """
    with join_ranks(task.trainer) as ranks, torch.random.fork_rng(_list_cuda_devices(ranks)):
        training = _Training(task, ranks)
        while not training.progress.finished:
            training.run_epoch()


def load_trained(task: TrainTask) -> tuple[Ranker, Progress]:
    """Load the ranker of a finished training, with the weights that were kept.

    Raises:
        TrainingError: there is no finished training of this task in its folder.
    """
    snapshot = open_snapshot(task.snapshot)
    checkpoint = load_checkpoint(task.folder, task.compute_fingerprint(snapshot))
    if checkpoint is None or not checkpoint.progress.finished:
        raise TrainingError(f"{task.folder} holds no finished training of this task")
    ranker = build_ranker(snapshot.spec, task.scale, task.model)
    ranker.load_state_dict(checkpoint.best)
    return ranker.eval(), checkpoint.progress


class _Training:
    """State of one process of a training."""

    def __init__(self, task: TrainTask, ranks: Ranks) -> None:
        self.task, self.ranks = task, ranks
        self.snapshot = open_snapshot(task.snapshot)
        torch.manual_seed(task.seed)
        ranker = build_ranker(self.snapshot.spec, task.scale, task.model)
        if task.start is not None:
            load_start(ranker, task.scale, task.model, task.start)
        self.ranker = ranker.to(ranks.device)
        if self.ranker.needs_lists:
            require_lists(self.snapshot, task.feed)
        balance = BALANCES[task.trainer.balance]
        self.balance = balance(self.snapshot.spec.loss_tasks, task.trainer.loss_weights)
        self.optimizer = _build_optimizer(
            [self.ranker, self.balance.to(ranks.device)], task.trainer
        )
        steps = count_steps(self.snapshot, self._select_rows("train", 1), task.feed.batch_size)
        self.schedule = Schedule.from_conf(task.trainer, steps)
        self.progress = Progress(task.compute_fingerprint(self.snapshot))
        self.best: State = {}
        self._resume()
        self.module = ranks.wrap(self.ranker)

    def run_epoch(self) -> None:
        """Run one epoch of training and validation, then the checkpoint."""
        started = time.monotonic()
        epoch = self.progress.epoch + 1
        torch.manual_seed(self._select_rows("train", epoch).draw_seed("torch"))
        learned = self._train_epoch(epoch)
        validation = self._validate(epoch)
        seconds = time.monotonic() - started
        record = {
            "epoch": epoch,
            "train": learned.compute_means(),
            "validation": validation.compute_means(),
            "rows": {"train": learned.rows, "validation": validation.rows},
            "seconds": round(seconds, 3),
        }
        self._advance(record, validation.compute_total(self.task.trainer.loss_weights))

    def _train_epoch(self, epoch: int) -> "EpochSums":
        self.module.train()
        sums = EpochSums(self.ranker.loss_names, self.ranks)
        rows, schedule = self._select_rows("train", epoch), self.schedule
        divisor = LabelMass(by_epoch=self.task.trainer.normalise == "epoch")
        with EpochBar(epoch, schedule.epochs, schedule.steps, self._shows_bar()) as bar:
            read = read_batches(self.snapshot, rows, self.task.feed, self.ranks.device)
            for step, batch in enumerate(read):
                losses = self._compute_losses(batch)
                weights = self.ranks.all_sum(torch.stack([t.weight for t in losses.values()]))
                denominators = divisor.compute_denominators(weights)
                _set_step_size(self.optimizer, schedule.compute_factor(epoch, step))
                self.optimizer.zero_grad(set_to_none=True)
                loss = self.balance.backward(
                    losses,
                    dict(zip(losses, denominators.unbind(), strict=True)),
                    self.ranker.parameters(),
                    self.ranks,
                )
                self.optimizer.step()
                sums.add(losses, batch.weight)
                bar.step(loss)
        return sums.check_finite(epoch, "training")

    @torch.no_grad()
    def _validate(self, epoch: int) -> "EpochSums":
        self.ranker.eval()
        sums = EpochSums(self.ranker.loss_names, self.ranks)
        rows = self._select_rows("validation", epoch)
        for batch in read_batches(self.snapshot, rows, self.task.feed, self.ranks.device):
            sums.add(self._compute_losses(batch, self.ranker), batch.weight)
        return sums.check_finite(epoch, "validation")

    def _compute_losses(self, batch: Batch, module: nn.Module | None = None) -> dict[str, TaskLoss]:
        with choose_arithmetic(self.ranks.device, self.task.model):
            losses: dict[str, TaskLoss] = (module or self.module)(batch)
        return losses

    def _advance(self, record: dict[str, Any], loss: float) -> None:
        conf, progress = self.task.trainer, self.progress
        progress.epoch += 1
        if conf.keep == "last" or loss < progress.best_loss:
            progress.best_loss, progress.best_epoch = loss, progress.epoch
            self.best = {k: v.detach().clone() for k, v in self.ranker.state_dict().items()}
        waited = progress.epoch - progress.best_epoch
        progress.finished = progress.epoch >= self.schedule.epochs or waited >= conf.patience
        progress.history.append(record | {"validation_loss": loss})
        if self.ranks.rank == 0:
            state = list_optimizer_tensors(self.optimizer)
            checkpoint = Checkpoint(
                progress, self.ranker.state_dict(), self.best, state, self.balance.state_dict()
            )
            save_checkpoint(checkpoint, self.task.folder)
            write_lines(self.task.folder, progress.history)

    def _resume(self) -> None:
        checkpoint = load_checkpoint(self.task.folder, self.progress.fingerprint)
        if checkpoint is not None:
            self.progress, self.best = checkpoint.progress, checkpoint.best
            self.ranker.load_state_dict(checkpoint.model)
            self.balance.load_state_dict(checkpoint.balance)
            restore_optimizer(self.optimizer, checkpoint.optimizer)
        if self.ranks.rank == 0:
            write_lines(self.task.folder, self.progress.history)

    def _select_rows(self, split: str, epoch: int) -> RowSelection:
        shard, shards = self.ranks.rank, self.ranks.size
        return RowSelection(split, shard, shards, epoch, self.task.seed, shuffle=split == "train")

    def _shows_bar(self) -> bool:
        return self.task.trainer.progress and self.ranks.rank == 0


def _build_optimizer(modules: Sequence[nn.Module], conf: TrainerConf) -> torch.optim.Optimizer:
    """Build AdamW (decoupled decay); biases and other vectors do not decay, the embeddings of the
    categories by a rate of their own.

    Neither does the position tower, which has a step size of its own: decay would pull its table
    towards the curve that it starts from.
    """
    named = [pair for module in modules for pair in module.named_parameters()]
    tower = [p for name, p in named if name.startswith(POSITION_TOWER)]
    tables = [p for name, p in named if name.startswith("inputs.") and ".embeddings." in name]
    apart = {id(p) for p in (*tower, *tables)}
    others = [p for _, p in named if id(p) not in apart]
    decay = conf.weight_decay
    groups: list[dict[str, Any]] = [
        {"params": [p for p in others if p.ndim > 1], "weight_decay": decay},
        {
            "params": tables,
            "weight_decay": decay if conf.embedding_decay is None else conf.embedding_decay,
        },
        {"params": [p for p in others if p.ndim <= 1], "weight_decay": 0.0},
        {
            "params": tower,
            "weight_decay": 0.0,
            "lr": conf.learning_rate * conf.position_rate,
        },
    ]
    made = torch.optim.AdamW([g for g in groups if g["params"]], lr=conf.learning_rate, fused=True)
    for group in made.param_groups:
        group["initial_lr"] = group["lr"]
    return made


def _set_step_size(optimizer: torch.optim.Optimizer, factor: float) -> None:
    """Set the step size of every group to its own at the start times the factor."""
    for group in optimizer.param_groups:
        group["lr"] = group["initial_lr"] * factor


def _list_cuda_devices(ranks: Ranks) -> list[torch.device]:
    return [ranks.device] if ranks.device.type == "cuda" else []
