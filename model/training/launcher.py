"""Runs a training here or through Spark's TorchDistributor."""

from dataclasses import replace

from model.training.distributed import name_gpu_key, resolve_device
from model.training.task import TrainTask
from model.training.trainer import train


def launch_training(task: TrainTask) -> None:
    """Train to the end; the result lies in `task.folder`.

    Through the distributor, its processes exchange gradients with gloo, or nccl on GPUs, and
    rank 0 writes the checkpoint: what the distributor returns is not used, because in local mode
    it may be any rank's. `task.folder` and the snapshot must be on storage that all processes
    share. Whether they take GPUs is decided here, once, and told to Spark and to each of them.

    Raises:
        DeviceError: conf asks for GPUs that are not there, or for more of them than there are.
    """
    if task.trainer.backend == "inprocess":
        train(task)
        return
    from pyspark.ml.torch.distributor import TorchDistributor

    device = resolve_device(task.trainer, _count_spark_gpus(task.trainer.local))
    TorchDistributor(
        num_processes=task.trainer.processes,
        local_mode=task.trainer.local,
        use_gpu=device == "cuda",
    ).run(train, replace(task, trainer=task.trainer.model_copy(update={"device": device})))


def _count_spark_gpus(local: bool) -> int:
    """Count GPUs that Spark's conf gives the driver (`local`) or a task; a part of one is none."""
    from pyspark.sql import SparkSession

    amount = SparkSession.active().conf.get(name_gpu_key(local), "0")
    return int(float(amount or 0))
