"""How long a training may take, from a few of its steps."""

import time

import torch

from model.feed import RowSelection, count_steps, open_snapshot, read_batches
from model.losses import total_loss
from model.ranker import build_ranker
from model.training.task import TrainTask

_STEPS = 8
"""Steps that are timed, after one that also reads the files (count)."""


def estimate_training_seconds(task: TrainTask) -> float:
    """Estimate the seconds of all epochs of a task on this machine with one thread, early stop not
    counted."""
    snapshot = open_snapshot(task.snapshot)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng([]):
            ranker = build_ranker(snapshot.spec, task.scale, task.model)
            optimizer = torch.optim.AdamW(ranker.parameters(), lr=0.0, fused=True)
            taken = 0
            started = time.monotonic()
            for batch in read_batches(snapshot, RowSelection("train"), task.feed):
                if taken == 1:  # the first step also reads the files
                    started = time.monotonic()
                optimizer.zero_grad(set_to_none=True)
                total_loss(ranker(batch), {}).backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                taken += 1
                if taken > _STEPS:
                    break
            each = (time.monotonic() - started) / max(taken - 1, 1)
    finally:
        torch.set_num_threads(threads)
    size = task.feed.batch_size
    learned = count_steps(snapshot, RowSelection("train"), size)
    checked = count_steps(snapshot, RowSelection("validation"), size)
    return task.trainer.epochs * each * (learned + checked / 3)
