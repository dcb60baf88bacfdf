"""Two processes train as one: gradients are sums over all rows, however the shards are padded."""

from pathlib import Path

import pytest
import torch
from pyspark.sql import SparkSession
from torch import Tensor

from conf.sections.model import ModelConf
from conf.sections.training import FeedConf, TrainerConf
from model.feed import Snapshot
from model.standardise import Standardisation
from model.training.checkpoint import load_checkpoint
from model.training.launcher import launch_training
from model.training.task import TrainTask
from model.training.trainer import load_trained


def task(
    snapshot: Snapshot,
    scale: Standardisation,
    folder: Path,
    batch_size: int,
    **trainer: object,
) -> TrainTask:
    settings: dict[str, object] = {
        "epochs": 3,
        "min_steps": 1,
        "learning_rate": 0.01,
        "progress": False,
    }
    return TrainTask(
        snapshot.folder,
        folder,
        scale,
        ModelConf.model_validate({"backbone": "aitm", "hidden": (16, 8), "tower": (4,)}),
        FeedConf(batch_size=batch_size),
        TrainerConf.model_validate(settings | trainer),
        11,
    )


def gradients(done: TrainTask, snapshot: Snapshot) -> dict[str, Tensor]:
    """Running mean of each parameter's gradients at the end, linear in them."""
    checkpoint = load_checkpoint(done.folder, done.compute_fingerprint(snapshot))
    assert checkpoint is not None
    return {name: t for name, t in checkpoint.optimizer.items() if name.endswith("exp_avg")}


def test_two_processes_train_as_one(
    spark: SparkSession,
    snapshot: Snapshot,
    scale: Standardisation,
    tmp_path: Path,
) -> None:
    """One step an epoch over all rows: 1,000 at once, or 667 beside 333 and 334 padded ones.

    With everything that could differ: a penalty without labels, and learnt weights of the losses.
    The gradients themselves are compared, as AdamW's running mean keeps them: its steps would be
    the same were all of them halved.
    """
    several = {"backend": "distributor", "processes": 2, "device": "cpu"}
    alone = task(snapshot, scale, tmp_path / "alone", 1_000, balance="uncertainty")
    both = task(snapshot, scale, tmp_path / "both", 667, balance="uncertainty", **several)
    launch_training(alone)
    launch_training(both)
    one, two = load_trained(alone), load_trained(both)
    assert [record["rows"]["train"] for record in two[1].history] == [1_000] * 3
    for record, other in zip(one[1].history, two[1].history, strict=True):
        assert other["validation_loss"] == pytest.approx(record["validation_loss"], rel=1e-4)
    mean, same = (gradients(each, snapshot) for each in (alone, both))
    assert len(mean) > 10 and max(float(g.abs().max()) for g in mean.values()) > 1e-3
    for name, gradient in mean.items():
        largest = float(gradient.abs().max())
        torch.testing.assert_close(same[name], gradient, rtol=1e-3, atol=1e-3 * largest + 1e-7)
    for name, tensor in one[0].state_dict().items():
        torch.testing.assert_close(two[0].state_dict()[name], tensor, rtol=1e-3, atol=1e-4)
