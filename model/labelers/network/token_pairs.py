"""Pairs as rows of token ids, and batches of rows of like length."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.labelers.base import Targets

Tokens = dict[str, list[int]]
"""Model inputs of one pair by name (input_ids, attention_mask, ...), all of one length."""
Rows = NDArray[np.int64]
_SORTED_BATCHES = 50
"""Batches that are drawn together and sorted by length: little padding, still random."""


@dataclass(frozen=True)
class TokenPairs:
    """N pairs that a network reads.

    Attributes:
        tokens: of each pair.
        fillers: value that pads an input, by its name; 0 for the others.
        labels: [N, 2] P(grade >= 1), P(grade >= 2).
        weight: [N].
    """

    tokens: list[Tokens]
    fillers: Mapping[str, int]
    labels: Tensor
    weight: Tensor

    @classmethod
    def from_tokens(
        cls, tokens: list[Tokens], fillers: Mapping[str, int], targets: Targets | None = None
    ) -> "TokenPairs":
        """Put rows and targets side by side; without targets every label and weight is 0."""
        if targets is None:
            return cls(tokens, fillers, torch.zeros(len(tokens), 2), torch.zeros(len(tokens)))
        labels = np.stack([targets.label_ge_1, targets.label_ge_2], axis=1).astype(np.float32)
        weight = np.asarray(targets.weight, np.float32)
        return cls(tokens, fillers, torch.from_numpy(labels), torch.from_numpy(weight))

    def __len__(self) -> int:
        return len(self.tokens)

    @cached_property
    def lengths(self) -> Rows:
        """[N] tokens of each pair (count)."""
        return np.array([len(row["input_ids"]) for row in self.tokens], np.int64)

    @property
    def targets(self) -> Targets:
        """The labels and weights in float64."""
        labels = self.labels.numpy().astype(np.float64)
        return Targets(labels[:, 0], labels[:, 1], self.weight.numpy().astype(np.float64))

    def build_batch(self, rows: Rows, device: str) -> dict[str, Tensor]:
        """Pad the model inputs of some rows on the right: [B, T]."""
        chosen = [self.tokens[row] for row in rows]
        width = max(len(row["input_ids"]) for row in chosen)
        inputs = {}
        for name in chosen[0]:
            filler = self.fillers.get(name, 0)
            filled = [row[name] + [filler] * (width - len(row[name])) for row in chosen]
            inputs[name] = torch.tensor(filled, dtype=torch.long, device=device)
        return inputs


def cut_sorted_batches(lengths: Rows, size: int) -> Iterator[Rows]:
    """Yield the row numbers of all pairs, the longest first, `size` at a time."""
    order = np.argsort(-lengths, kind="stable")
    for start in range(0, len(order), size):
        yield order[start : start + size]


def draw_batches(lengths: Rows, size: int, seed: int) -> list[Rows]:
    """Draw random batches of the row numbers of all pairs, each of `size` pairs of like length.

    Fifty batches are drawn together and sorted by length; then all batches are shuffled.
    """
    draw = np.random.default_rng(seed)
    order, batches = draw.permutation(len(lengths)), []
    for start in range(0, len(order), size * _SORTED_BATCHES):
        drawn = order[start : start + size * _SORTED_BATCHES]
        drawn = drawn[np.argsort(lengths[drawn], kind="stable")]
        batches += [drawn[at : at + size] for at in range(0, len(drawn), size)]
    return [batches[at] for at in draw.permutation(len(batches))]
