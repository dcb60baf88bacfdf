"""Runs a training here or through Spark's TorchDistributor."""

from model.trainer import train
from model.training_task import TrainTask


def launch(task: TrainTask) -> None:
    """Train to the end; the result lies in `task.folder`.

    Through the distributor, its processes exchange gradients with gloo, or nccl on GPUs, and
    rank 0 writes the checkpoint: what the distributor returns is not used, because in local mode
    it may be any rank's. `task.folder` and the snapshot must be on storage that all processes
    share.
    """
    if task.trainer.backend == "inprocess":
        train(task)
        return
    from pyspark.ml.torch.distributor import TorchDistributor

    TorchDistributor(
        num_processes=task.trainer.processes,
        local_mode=task.trainer.local,
        use_gpu=task.trainer.device == "cuda",
    ).run(train, task)
