"""Which device the processes of a training take, what Spark is told of it, and the arithmetic."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyspark.ml.torch.distributor
import pytest
import torch
from pyspark.sql import SparkSession

from conf.sections.model import ModelConf
from conf.sections.training import FeedConf, TrainerConf
from model.feed import Snapshot
from model.standardise import Standardisation
from model.training.distributed import (
    DeviceError,
    choose_arithmetic,
    join_ranks,
    resolve_device,
    uses_bfloat16,
)
from model.training.launcher import launch_training
from model.training.task import TrainTask

Launched = Callable[..., dict[str, Any]]


def trainer(**settings: object) -> TrainerConf:
    return TrainerConf.model_validate({"progress": False} | settings)


def several(processes: int = 2, **settings: object) -> TrainerConf:
    return trainer(backend="distributor", processes=processes, **settings)


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """`gpus(2)`: torch sees two."""

    def seen(count: int) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
        monkeypatch.setattr(torch.cuda, "set_device", lambda device: None)

    return seen


@pytest.mark.parametrize(
    ("conf", "seen", "of_spark", "device"),
    [
        (trainer(), 0, None, "cpu"),
        (trainer(), 1, None, "cuda"),
        (trainer(device="cpu"), 1, None, "cpu"),
        (several(), 2, 2, "cuda"),
        (several(), 0, 0, "cpu"),
        (several(device="cpu"), 2, 2, "cpu"),
        (several(local=False), 0, 1, "cuda"),
        (several(local=False), 1, 0, "cpu"),
        (several(4, local=False), 0, 1, "cuda"),
    ],
)
def test_one_rule_decides(
    gpus: Callable[[int], None], conf: TrainerConf, seen: int, of_spark: int | None, device: str
) -> None:
    gpus(seen)
    assert resolve_device(conf, of_spark) == device


@pytest.mark.parametrize(
    ("conf", "seen", "of_spark", "reason"),
    [
        (trainer(device="cuda"), 0, None, "torch sees no GPU"),
        (several(device="cuda"), 0, 2, "torch sees no GPU"),
        (several(device="cuda"), 2, 0, r"set spark\.driver\.resource\.gpu\.amount"),
        (several(device="cuda", local=False), 2, 0, r"set spark\.task\.resource\.gpu\.amount"),
        (several(3), 2, 4, r"3 training processes on 2 GPU.*processes to 2 at most"),
        (several(3), 4, 2, r"3 training processes on 2 GPU"),
    ],
)
def test_gpus_that_are_not_there_are_refused(
    gpus: Callable[[int], None], conf: TrainerConf, seen: int, of_spark: int | None, reason: str
) -> None:
    gpus(seen)
    with pytest.raises(DeviceError, match=reason):
        resolve_device(conf, of_spark)


def test_a_gpu_that_spark_does_not_know_of_is_told(gpus: Callable[[int], None]) -> None:
    gpus(2)
    with pytest.warns(RuntimeWarning, match="training on the CPU: Spark knows of no GPU"):
        assert resolve_device(several(), 0) == "cpu"


@pytest.fixture
def launched(
    snapshot: Snapshot, scale: Standardisation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Launched:
    """`launched(conf, of_spark={key: amount})`: what Spark is told, and the device of the task."""
    told: dict[str, Any] = {}

    class Recorder:
        def __init__(self, **arguments: object) -> None:
            told.update(arguments)

        def run(self, train: object, task: TrainTask) -> None:
            told["device"] = task.trainer.device
            told["same task"] = task.compute_fingerprint(snapshot) == given[0].compute_fingerprint(
                snapshot
            )

    given: list[TrainTask] = []
    monkeypatch.setattr(pyspark.ml.torch.distributor, "TorchDistributor", Recorder)

    def once(conf: TrainerConf, of_spark: dict[str, str]) -> dict[str, Any]:
        session = SimpleNamespace(conf=SimpleNamespace(get=of_spark.get))
        monkeypatch.setattr(SparkSession, "active", lambda: session)
        task = TrainTask(snapshot.folder, tmp_path, scale, ModelConf(), FeedConf(), conf, 1)
        given.append(task)
        launch_training(task)
        return told

    return once


@pytest.mark.parametrize(
    ("conf", "of_spark", "used"),
    [
        (several(), {"spark.driver.resource.gpu.amount": "2"}, True),
        (several(local=False), {"spark.task.resource.gpu.amount": "1"}, True),
        (several(local=False), {"spark.task.resource.gpu.amount": "0.5"}, False),
        (several(device="cpu"), {"spark.driver.resource.gpu.amount": "2"}, False),
    ],
)
def test_spark_and_the_processes_hear_the_same(
    gpus: Callable[[int], None],
    launched: Launched,
    conf: TrainerConf,
    of_spark: dict[str, str],
    used: bool,
) -> None:
    gpus(2)
    told = launched(conf, of_spark)
    assert told["use_gpu"] is used
    assert told["device"] == ("cuda" if used else "cpu")
    assert told["num_processes"] == 2 and told["local_mode"] == conf.local
    assert told["same task"], "its result is found by the task as it was given"


def test_each_process_takes_the_gpu_of_its_rank(
    gpus: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    gpus(2)
    monkeypatch.setenv("LOCAL_RANK", "1")
    before = torch.get_float32_matmul_precision()
    with join_ranks(several(device="cuda")) as ranks:
        assert ranks.device == torch.device("cuda", 1)
        assert torch.get_float32_matmul_precision() == "high"
    with join_ranks(trainer()) as ranks:
        assert ranks.device == torch.device("cuda", 0)
    assert torch.get_float32_matmul_precision() == before
    with join_ranks(trainer(device="cpu")) as ranks:
        assert ranks.device.type == "cpu" and torch.get_float32_matmul_precision() == before


def test_bfloat16_is_for_wide_layers_on_a_gpu() -> None:
    narrow, wide = ModelConf(hidden=(128, 64)), ModelConf(hidden=(64, 512))
    cuda, cpu = torch.device("cuda"), torch.device("cpu")
    assert [uses_bfloat16(cuda, narrow), uses_bfloat16(cuda, wide)] == [False, True]
    assert not uses_bfloat16(cpu, wide)
    with choose_arithmetic(cpu, wide):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32
