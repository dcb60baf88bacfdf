"""What a feed gives, a batch, and what it is asked for, the rows."""

import hashlib
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """Rows of one step.

    Attributes:
        features: [B, F] float32, columns in the order of the spec.
        labels: [B, L] float32, columns in the order of `label_names`.
        position: [B] float32, rank on the page from 1; 0 never shown.
        weight: [B] float32, 1 for a row of the snapshot, 0 for padding.
        list_code: [B] float32, the list that the row belongs to, a whole number; 0 where the
            snapshot does not say.
        label_names: names of the label columns.
    """

    features: Tensor
    labels: Tensor
    position: Tensor
    weight: Tensor
    list_code: Tensor
    label_names: tuple[str, ...]

    def get_label(self, name: str) -> Tensor:
        """Give one label column [B]."""
        return self.labels[:, self.label_names.index(name)]

    def to(self, device: torch.device) -> "Batch":
        """Move the batch to another device: packed, sent once, and cut there."""
        if self.features.device == device:
            return self
        return cut_batch(send_rows(self.pack(), device), self.features.shape[1], self.label_names)

    def pack(self) -> Tensor:
        """Pack the batch: [B, F + L + 3] of features, labels, position, weight, list code."""
        columns = torch.stack([self.position, self.weight, self.list_code], dim=1)
        return torch.cat([self.features, self.labels, columns], dim=1)


def cut_batch(packed: Tensor, features: int, label_names: tuple[str, ...]) -> Batch:
    """Cut the tensor of `Batch.pack` into a batch of slices."""
    inputs, labels, rest = torch.split(packed, [features, len(label_names), 3], dim=1)
    position, weight, list_code = rest.unbind(1)
    return Batch(inputs, labels, position, weight, list_code, label_names)


def send_rows(rows: Tensor, device: torch.device) -> Tensor:
    """Send rows [B, columns] to the device; to a GPU from pinned memory, without waiting."""
    if device.type == "cuda":
        return rows.pin_memory().to(device, non_blocking=True)
    return rows.to(device)


@dataclass(frozen=True)
class RowSelection:
    """Which rows of a snapshot, in which order.

    Attributes:
        split: train, validation, or another split of the snapshot.
        shard: which of `shards` equal parts (by files) is read, from 0.
        shuffle: whether files and rows are mixed, as a function of (seed, epoch).
    """

    split: str
    shard: int = 0
    shards: int = 1
    epoch: int = 0
    seed: int = 1
    shuffle: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.shard < self.shards:
            raise ValueError(f"shard {self.shard} is not one of 0..{self.shards - 1}")

    def draw_seed(self, what: str) -> int:
        """Draw a seed in 1 .. 2**31 - 1 for one use, a pure function of (seed, epoch, shard,
        use)."""
        key = f"{self.seed}|{self.epoch}|{self.shard}|{what}".encode()
        return 1 + int.from_bytes(hashlib.sha256(key).digest()[:4]) % (2**31 - 1)
