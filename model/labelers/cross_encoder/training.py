"""Fine-tuning of the cross-encoder: AdamW, warm-up, linear decay; validation chooses the epoch."""

import copy
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from conf.sections.labelers.cross_encoder import CrossEncoderConf
from model.labelers.base import Floats, Probabilities, Targets
from model.labelers.cross_encoder.pair_data import PairData
from model.labelers.cross_encoder.pair_encoder import PairEncoder, chain_probabilities
from model.labelers.cross_encoder.pair_tokens import PairTokenizer, shuffled_batches, sorted_batches
from model.labelers.fitting import clearly_worse, pair_losses
from model.losses import corn_loss
from model.training.progress import EpochBar

_CLIP = 1.0


@dataclass(frozen=True)
class Training:
    """What a fit is run with.

    Attributes:
        autocast: true: arithmetic in bfloat16 over float32 weights.
        device: cpu or cuda.
    """

    conf: CrossEncoderConf
    tokenizer: PairTokenizer
    autocast: bool
    device: str
    seed: int


@dataclass(frozen=True)
class Tuned:
    """How a fine-tuning went.

    Attributes:
        history: losses (nats) by epoch.
        epoch: whose weights stayed, from 1.
    """

    history: list[dict[str, float]]
    epoch: int


def fine_tune(
    network: PairEncoder,
    train: PairData,
    judged: PairData,
    run: Training,
    score: Callable[[Tensor], Floats] | None = None,
) -> Tuned:
    """Train in place; validation chooses the epoch.

    The weights of the last epoch stay whose validation loss is not worse than the lowest by more
    than a standard error: the step size falls to nothing, and a mixture gains from the ranking of
    the last steps what they lose in calibration.

    Args:
        score: logits [N, 2] of the judged pairs -> losses [N] that choose the epoch; None: the
            network's own.
    """
    weight = judged.weight.numpy().astype(np.float64)
    history: list[dict[str, float]] = []
    kept: dict[str, Tensor] = {}
    lowest: Floats | None = None
    stayed = 0

    def judge(epoch: int, loss: float) -> None:
        nonlocal kept, lowest, stayed
        logits = logits_of(network, judged, run)
        losses = own_losses(logits, judged) if score is None else score(logits)
        mean = float(np.average(losses, weights=weight))
        history.append({"epoch": epoch, "loss": loss, "validation_loss": mean})
        if lowest is None or not clearly_worse(losses, lowest, weight):
            kept, stayed = copy.deepcopy(network.state_dict()), epoch
        if mean <= min(entry["validation_loss"] for entry in history):
            lowest = losses

    epochs = max(run.conf.epochs, -(-run.conf.min_steps // _steps(train, run)))
    _passes(network, train, run, (epochs, epochs), judge)
    network.load_state_dict(kept)
    return Tuned(history, stayed)


def tune_again(network: PairEncoder, train: PairData, run: Training, chosen: Tuned) -> list[float]:
    """Train in place as before up to the chosen epoch; training losses (nats) by epoch."""
    losses: list[float] = []
    epochs = (chosen.epoch, len(chosen.history))
    _passes(network, train, run, epochs, lambda _, loss: losses.append(loss))
    return losses


def _passes(
    network: PairEncoder,
    train: PairData,
    run: Training,
    epochs: tuple[int, int],
    after: Callable[[int, float], None],
) -> None:
    """The first of `epochs` = (so many, of so many that the step size falls over).

    Args:
        after: is told each epoch, from 1, and its training loss (nats).
    """
    conf, (last, of) = run.conf, epochs
    network.standardise_like(train.features)
    network.start_at(*_rates(train))
    network.freeze(conf.frozen_layers)
    network.to(run.device)
    optimizer = _optimizer(network, conf)
    schedule = _schedule(optimizer, _steps(train, run) * of, conf.warmup)
    with seeded(run.seed), on_threads(conf.threads):
        for epoch in range(1, last + 1):
            after(epoch, _epoch(network, train, run, (epoch, of), optimizer, schedule))


def _steps(train: PairData, run: Training) -> int:
    """Steps of an epoch."""
    return -(-len(train) // run.conf.batch_size)


def logits_of(network: PairEncoder, data: PairData, run: Training) -> Tensor:
    """[N, 2] logits of all pairs in their order; long pairs are computed together."""
    network.eval()
    out = torch.empty(len(data), 2)
    with torch.inference_mode():
        for rows in sorted_batches(data.lengths, run.conf.predict_batch_size):
            out[rows] = _forward(network, data, rows, run).cpu()
    return out


def own_losses(logits: Tensor, data: PairData) -> Floats:
    """[N] cross-entropy of the network's probabilities against soft labels (nats)."""
    read, labels = chain_probabilities(logits), data.labels.numpy().astype(np.float64)
    targets = Targets(labels[:, 0], labels[:, 1], data.weight.numpy().astype(np.float64))
    return pair_losses(Probabilities(read[:, 0], read[:, 1]), targets)


def _epoch(
    network: PairEncoder,
    train: PairData,
    run: Training,
    epoch: tuple[int, int],
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
) -> float:
    """One pass over the pairs, `epoch` = (its number from 1, all); mean training loss (nats)."""
    network.train()
    batches = shuffled_batches(train.lengths, run.conf.batch_size, run.seed * 1_000 + epoch[0])
    trained = [p for group in optimizer.param_groups for p in group["params"]]
    total = torch.zeros(())
    with EpochBar(*epoch, len(batches), shown=True) as bar:
        for rows in batches:
            logits = _forward(network, train, rows, run)
            labels, weight = train.labels[rows].to(run.device), train.weight[rows].to(run.device)
            loss = corn_loss(logits, labels, weight).total / weight.sum().clamp(min=1e-6)
            optimizer.zero_grad(set_to_none=True)
            torch.autograd.backward(loss)
            nn.utils.clip_grad_norm_(trained, _CLIP)
            optimizer.step()
            schedule.step()
            total += loss.detach().cpu() * weight.sum().cpu()
            bar.step(loss)
    return float(total / train.weight.sum())


def _forward(
    network: PairEncoder, data: PairData, rows: NDArray[np.int64], run: Training
) -> Tensor:
    tokens, features = data.batch(rows, run.tokenizer, run.device)
    with torch.autocast(run.device, torch.bfloat16, enabled=run.autocast):
        logits: Tensor = network(tokens, features)
    return logits.float()


def _rates(data: PairData) -> tuple[float, float]:
    means = (data.labels * data.weight.unsqueeze(1)).sum(dim=0) / data.weight.sum()
    return float(means[0]), float(means[1])


def _optimizer(network: PairEncoder, conf: CrossEncoderConf) -> torch.optim.Optimizer:
    """AdamW; decay on matrices only, a step size of its own for what is new: head and marks."""
    groups = []
    parts = [(network.trunk, conf.learning_rate), (network.head, conf.head_learning_rate)]
    if network.marks is not None:
        parts.append((network.marks, conf.head_learning_rate))
    for part, step in parts:
        known = [p for p in part.parameters() if p.requires_grad]
        for matrix in (True, False):
            groups.append(
                {
                    "params": [p for p in known if (p.ndim > 1) == matrix],
                    "lr": step,
                    "weight_decay": conf.weight_decay if matrix else 0.0,
                }
            )
    return torch.optim.AdamW([group for group in groups if group["params"]], fused=True)


def _schedule(
    optimizer: torch.optim.Optimizer, steps: int, warmup: float
) -> torch.optim.lr_scheduler.LRScheduler:
    """Step size rising to the conf's over the warm-up, then falling linearly to 0."""
    rising = max(1, round(warmup * steps))

    def share(step: int) -> float:
        return min((step + 1) / rising, (steps - step) / max(1, steps - rising))

    return torch.optim.lr_scheduler.LambdaLR(optimizer, share)


def device() -> str:
    """cuda where torch finds one, else cpu."""
    return "cuda" if torch.cuda.is_available() else "cpu"


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Torch's draws (dropout) fixed within, untouched outside."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield


@contextmanager
def on_threads(count: int) -> Iterator[None]:
    """Torch's threads within; 0: all cores that this process may use."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or _usable_cores())
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _usable_cores() -> int:
    """Cores of this process: of a machine that a container or taskset shares, a part."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
