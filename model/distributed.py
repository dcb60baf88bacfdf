"""The processes of a training: one, or several that torchrun (TorchDistributor) started."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from conf.sections.training import TrainerConf


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
        """The module with gradients averaged over the processes."""
        if self.size == 1:
            return module
        ids = [self.device] if self.device.type == "cuda" else None
        return DistributedDataParallel(module, device_ids=ids, broadcast_buffers=False)


@contextmanager
def joined(conf: TrainerConf) -> Iterator[Ranks]:
    """Join the process group that the environment describes; alone where it describes none.

    torch's thread count is conf's inside, and the old one again outside.
    """
    size = int(os.environ.get("WORLD_SIZE", "1")) if conf.backend == "distributor" else 1
    rank = int(os.environ.get("RANK", "0")) if size > 1 else 0
    device = _device(conf)
    threads = torch.get_num_threads()
    if conf.threads:
        torch.set_num_threads(conf.threads)
    if size > 1:
        distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Ranks(rank, size, device)
    finally:
        if size > 1:
            distributed.destroy_process_group()
        torch.set_num_threads(threads)


def _device(conf: TrainerConf) -> torch.device:
    if conf.device == "cpu" or (conf.device == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    local = int(os.environ.get("LOCAL_RANK", "0")) if conf.backend == "distributor" else 0
    device = torch.device("cuda", local % max(torch.cuda.device_count(), 1))
    torch.cuda.set_device(device)
    return device
