"""Rows of several networks in one: every row once per member, a row's members side by side."""

from dataclasses import replace

import torch
from torch import Tensor

from model.feed import Batch


def repeat_values(values: Tensor, members: int) -> Tensor:
    """Repeat each row for every member: [B, ...] -> [B * members, ...]."""
    return values if members == 1 else values.repeat_interleave(members, dim=0)


def average_members(values: Tensor, members: int) -> Tensor:
    """Take the mean over each row's members: [B * members, ...] -> [B, ...]."""
    if members == 1:
        return values
    return values.reshape(-1, members, *values.shape[1:]).mean(dim=1)


def repeat_targets(batch: Batch, members: int) -> Batch:
    """Repeat the rows for every member: a loss over them is the mean of the members' losses.

    A row's weight is shared out equally among its members. Each member has lists of its own: no
    loss over a list compares rows of different members. The features stay as they are, one per row:
    the backbone has read them.
    """
    if members == 1:
        return batch
    # Whole numbers of 64 bits: float32 would round large codes, and so join lists.
    code = repeat_values(batch.list_code.long() * members, members)
    member = torch.arange(members, device=code.device).repeat(len(batch.list_code))
    return replace(
        batch,
        labels=repeat_values(batch.labels, members),
        position=repeat_values(batch.position, members),
        weight=repeat_values(batch.weight / members, members),
        list_code=code + member,
    )
