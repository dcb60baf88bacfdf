"""What a network is run with: settings, device, seed, threads."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from conf.sections.labelers.fine_tuning import FineTuningConf
from model.cores import count_cores


@dataclass(frozen=True)
class FineTuning:
    """What a fit is run with.

    Attributes:
        autocast: true: arithmetic in bfloat16 over float32 weights.
        device: cpu or cuda.
    """

    conf: FineTuningConf
    autocast: bool
    device: str
    seed: int


def choose_device() -> str:
    """Choose cuda where torch finds one, else cpu."""
    return "cuda" if torch.cuda.is_available() else "cpu"


@contextmanager
def fix_seed(seed: int) -> Iterator[None]:
    """Fix torch's draws (dropout) within the block; outside they are untouched."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield


@contextmanager
def use_threads(count: int) -> Iterator[None]:
    """Set torch's threads within the block; 0: all cores that this process may use."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or count_cores())
    try:
        yield
    finally:
        torch.set_num_threads(before)
