"""Training pairs as the cross-encoder reads them."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.labelers.base import Targets
from model.labelers.cross_encoder.pair_tokens import PairTokenizer, Tokens, lengths_of


@dataclass(frozen=True)
class PairData:
    """N pairs.

    Attributes:
        tokens: model inputs of each pair.
        lengths: [N] tokens of each pair (count).
        features: [N, F], float32.
        labels: [N, 2] P(grade >= 1), P(grade >= 2).
        weight: [N].
    """

    tokens: list[Tokens]
    lengths: NDArray[np.int64]
    features: Tensor
    labels: Tensor
    weight: Tensor

    @classmethod
    def of(
        cls, tokens: list[Tokens], features: NDArray[np.float32], targets: Targets
    ) -> "PairData":
        """Put texts, features and targets side by side."""
        labels = np.stack([targets.label_ge_1, targets.label_ge_2], axis=1)
        return cls(
            tokens,
            lengths_of(tokens),
            torch.from_numpy(np.ascontiguousarray(features)),
            torch.from_numpy(labels.astype(np.float32)),
            torch.from_numpy(np.asarray(targets.weight, np.float32)),
        )

    def __len__(self) -> int:
        return len(self.tokens)

    def batch(
        self, rows: NDArray[np.int64], tokenizer: PairTokenizer, device: str
    ) -> tuple[dict[str, Tensor], Tensor]:
        """Padded tokens [B, T] and features [B, F] of some rows."""
        padded = tokenizer.padded([self.tokens[row] for row in rows])
        return (
            {name: tensor.to(device) for name, tensor in padded.items()},
            self.features[rows].to(device),
        )
