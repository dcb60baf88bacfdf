"""Two processes train as one: gradients are sums over all rows, however the shards are padded."""

from pathlib import Path

import pytest
import torch
from pyspark.sql import SparkSession

from conf.sections.training import FeedConf, ModelConf, TrainerConf
from model.feed import Snapshot
from model.launcher import launch
from model.standardise import Standardisation
from model.trainer import trained
from model.training_task import TrainTask


def task(
    snapshot: Snapshot,
    scale: Standardisation,
    folder: Path,
    batch_size: int,
    **trainer: object,
) -> TrainTask:
    settings: dict[str, object] = {"epochs": 3, "learning_rate": 0.01, "progress": False}
    return TrainTask(
        snapshot.folder,
        folder,
        scale,
        ModelConf.model_validate({"backbone": "aitm", "hidden": (16, 8), "tower": (4,)}),
        FeedConf(batch_size=batch_size),
        TrainerConf.model_validate(settings | trainer),
        11,
    )


def test_two_processes_train_as_one(
    spark: SparkSession,
    snapshot: Snapshot,
    scale: Standardisation,
    tmp_path: Path,
) -> None:
    """One step an epoch over all rows: 1,000 at once, or 667 beside 333 and 334 padded ones.

    With everything that could differ: a penalty without labels, and learnt weights of the losses.
    """
    several = {"backend": "distributor", "processes": 2, "device": "cpu"}
    alone = task(snapshot, scale, tmp_path / "alone", 1_000, balance="uncertainty")
    both = task(snapshot, scale, tmp_path / "both", 667, balance="uncertainty", **several)
    launch(alone)
    launch(both)
    one, two = trained(alone), trained(both)
    assert [record["rows"]["train"] for record in two[1].history] == [1_000] * 3
    for record, other in zip(one[1].history, two[1].history, strict=True):
        assert other["validation_loss"] == pytest.approx(record["validation_loss"], rel=1e-4)
    for name, tensor in one[0].state_dict().items():
        torch.testing.assert_close(two[0].state_dict()[name], tensor, rtol=1e-3, atol=1e-4)
