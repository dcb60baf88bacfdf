"""The processes of a training: one, or several that torchrun (TorchDistributor) started."""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from conf.errors import UserError
from conf.sections.model import ModelConf
from conf.sections.training import TrainerConf

WIDE = 512
"""Widest layer (units) from which bfloat16 pays: below, a step is bound by its
launches, to which casts add, and inputs lose 16 of their 24 bits for nothing."""


class DeviceError(UserError, RuntimeError):
    """There is no device as conf asks for it; the message says why and what to change."""


@dataclass(frozen=True)
class Ranks:
    """This process among the processes of the training.

    Attributes:
        rank: from 0; rank 0 alone writes.
        size: processes (count).
        device: where this process computes.
    """

    rank: int
    size: int
    device: torch.device

    def all_sum(self, tensor: Tensor) -> Tensor:
        """Sum over all processes (a copy); every process must call it."""
        total = tensor.detach().clone()
        if self.size > 1:
            distributed.all_reduce(total)
        return total

    def wrap(self, module: nn.Module) -> nn.Module:
        """Wrap the module so that its gradients are averaged over the processes."""
        if self.size == 1:
            return module
        ids = [self.device] if self.device.type == "cuda" else None
        return DistributedDataParallel(module, device_ids=ids, broadcast_buffers=False)


@contextmanager
def join_ranks(conf: TrainerConf) -> Iterator[Ranks]:
    """Join the process group that the environment describes; alone where it describes none.

    Inside, torch's thread count is conf's and a GPU multiplies float32 as TF32; outside both are
    as they were.
    """
    size = int(os.environ.get("WORLD_SIZE", "1")) if conf.backend == "distributor" else 1
    rank = int(os.environ.get("RANK", "0")) if size > 1 else 0
    device = _pick_device(conf)
    threads, precision = torch.get_num_threads(), torch.get_float32_matmul_precision()
    if conf.threads:
        torch.set_num_threads(conf.threads)
    if device.type == "cuda":
        torch.set_float32_matmul_precision("high")
    if size > 1:
        distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Ranks(rank, size, device)
    finally:
        if size > 1:
            distributed.destroy_process_group()
        torch.set_num_threads(threads)
        torch.set_float32_matmul_precision(precision)


def choose_arithmetic(device: torch.device, model: ModelConf) -> torch.autocast:
    """Give the context of a forward pass: bfloat16 where `uses_bfloat16`, else float32.

    Inside `join_ranks`, float32 on a GPU means TF32 products.
    """
    return torch.autocast(device.type, torch.bfloat16, enabled=uses_bfloat16(device, model))


def uses_bfloat16(device: torch.device, model: ModelConf) -> bool:
    """Tell whether a forward pass is worth bfloat16: on a GPU, from a layer of WIDE units on."""
    return device.type == "cuda" and max(model.hidden) >= WIDE


def resolve_device(conf: TrainerConf, of_spark: int | None = None) -> Literal["cpu", "cuda"]:
    """Decide where the processes of a training compute: asked once, before they start.

    `auto` is cuda where there is a GPU to take: one that torch sees here, or, for processes on
    Spark's workers, one that Spark gives a task. Through the distributor Spark must know of it in
    either case: it picks the GPUs and hides the others.

    Args:
        of_spark: GPUs that Spark has for the driver (`conf.local`) or for a task (count); None:
            not through Spark.

    Raises:
        DeviceError: conf asks for a GPU that is not there, or there are more processes than GPUs.
    """
    if conf.device == "cpu":
        return "cpu"
    seen = torch.cuda.device_count() if torch.cuda.is_available() else 0
    granted = seen if of_spark is None else of_spark
    gpus = min(seen, granted) if conf.local else granted
    if gpus < 1:
        reason = _explain_no_gpu(conf, seen, of_spark)
        if conf.device == "cuda":
            raise DeviceError(f"trainer.device is cuda, and {reason}, or trainer.device: cpu")
        if seen and conf.local:
            warnings.warn(f"training on the CPU: {reason}", RuntimeWarning, stacklevel=2)
        return "cpu"
    if of_spark is not None and conf.local and conf.processes > gpus:
        raise DeviceError(
            f"{conf.processes} training processes on {gpus} GPU(s): each takes one of its own; set "
            f"trainer.processes to {gpus} at most, or trainer.device: cpu"
        )
    return "cuda"


def _explain_no_gpu(conf: TrainerConf, seen: int, of_spark: int | None) -> str:
    """Tell why there is no GPU, and the mend."""
    if of_spark is None or (conf.local and not seen):
        return "torch sees no GPU: install its driver and a torch built for it"
    return f"Spark knows of no GPU: set {name_gpu_key(conf.local)} and the discovery script"


def name_gpu_key(local: bool) -> str:
    """Name Spark's key for the GPUs of the driver (`local`) or of a task."""
    return f"spark.{'driver' if local else 'task'}.resource.gpu.amount"


def _pick_device(conf: TrainerConf) -> torch.device:
    if resolve_device(conf) == "cpu":
        return torch.device("cpu")
    local = int(os.environ.get("LOCAL_RANK", "0")) if conf.backend == "distributor" else 0
    device = torch.device("cuda", local)
    torch.cuda.set_device(device)
    return device
