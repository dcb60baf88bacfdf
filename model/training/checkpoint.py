"""Checkpoint of a training, one safetensors file: tensors, and the rest as JSON in its header.

There is no random state in it: every epoch draws from a seed of its own (`model.training.trainer`).
"""

import json
import logging
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as save_tensors
from torch import Tensor

from model.files import new_file

_LOG = logging.getLogger(__name__)
FILE = "checkpoint.safetensors"
State = dict[str, Tensor]
_GROUPS = ("model", "best", "optimizer", "balance")


@dataclass
class Progress:
    """How far a training has come.

    Attributes:
        fingerprint: hash of everything that decides the result; another one is not resumed.
        epoch: epochs done (count).
        best_epoch: epoch whose weights are kept, from 1; 0 before the first.
        best_loss: its validation loss.
        finished: no further epoch is to be trained.
        history: one record per epoch, as in metrics.jsonl.
    """

    fingerprint: str
    epoch: int = 0
    best_epoch: int = 0
    best_loss: float = float("inf")
    finished: bool = False
    history: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class Checkpoint:
    """Progress with its tensors by name: weights, best weights, optimizer and balance state."""

    progress: Progress
    model: State
    best: State
    optimizer: State
    balance: State = field(default_factory=dict)


def save_checkpoint(checkpoint: Checkpoint, folder: Path) -> None:
    """Replace the checkpoint of `folder` so that a kill leaves the old one or the new one."""
    tensors = {}
    for group in _GROUPS:
        for name, tensor in getattr(checkpoint, group).items():
            # A copy: best and model may share memory, which safetensors refuses.
            tensors[f"{group}.{name}"] = tensor.detach().cpu().clone().contiguous()
    content = save_tensors(tensors, metadata={"progress": json.dumps(asdict(checkpoint.progress))})
    with new_file(folder / FILE) as partial, partial.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def load_checkpoint(folder: Path, fingerprint: str) -> Checkpoint | None:
    """Load the checkpoint of `folder`; None where there is none of this fingerprint.

    One that cannot be read counts as none: the training starts anew, and a warning names the file.
    """
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        return _read_checkpoint(path, fingerprint)
    except (SafetensorError, ValueError, TypeError, KeyError) as error:
        _LOG.warning("checkpoint %s is damaged (%s): the training starts anew", path, error)
        return None


def _read_checkpoint(path: Path, fingerprint: str) -> Checkpoint | None:
    with safe_open(path, framework="pt", device="cpu") as opened:
        progress = Progress(**json.loads(opened.metadata()["progress"]))
        if progress.fingerprint != fingerprint:
            return None
        groups: dict[str, State] = {group: {} for group in _GROUPS}
        for key in opened.keys():  # noqa: SIM118 (not a dict: safetensors' handle has no iterator)
            group, _, name = key.partition(".")
            groups[group][name] = opened.get_tensor(key)
    return Checkpoint(progress, **groups)


def list_optimizer_tensors(optimizer: torch.optim.Optimizer) -> State:
    """List the optimizer's state as named tensors: "<parameter index>.<key>"."""
    state = optimizer.state_dict()["state"]
    return {f"{i}.{key}": value for i, entry in state.items() for key, value in entry.items()}


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Load what `list_optimizer_tensors` gave into an optimizer over the same parameters."""
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        index, _, key = name.partition(".")
        state.setdefault(int(index), {})[key] = tensor
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})
