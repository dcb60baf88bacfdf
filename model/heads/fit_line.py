"""Relevance by a line through how well the texts fit, mixed into the network's at prediction
time."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from model.heads.base import RelevanceHead
from model.spec import InputSpec
from model.standardise import Standardisation

LINE = "line"
"""Its logits among the representations by task."""


class FitLine(nn.Module):
    """Gives the logits of the conditional chain by two logistic regressions on a pair's fit
    features.

    A few hundred graded rows cannot teach a network of thousands of weights what they teach a
    regression with one weight per feature: without the line, relevance would rank worse than the
    cosine, which is one of its own inputs. The mean of two models with different errors is better
    than either (Hansen and Salamon 1990), also where grades are many. The regressions are fitted
    before training (`model.split_sums`) and do not learn, so what the shared layers learn from the
    grades is the same with the line as without."""

    columns: Tensor
    candidate_columns: Tensor
    mean: Tensor
    std: Tensor
    weight: Tensor
    bias: Tensor

    def __init__(self, spec: InputSpec, scale: Standardisation, share: float, clip: float) -> None:
        """Take the regressions of the training rows; `share` is their part in the logits."""
        super().__init__()
        self.share, self.clip = share, clip
        columns = spec.fit_positions
        names = [spec.names[i] for i in columns]
        places = {column: i for i, column in enumerate(spec.candidate_positions)}
        self._register_values("columns", columns, torch.long)
        self._register_values("candidate_columns", [places[i] for i in columns], torch.long)
        self._register_values("mean", [scale.mean[name] for name in names])
        self._register_values("std", [scale.std[name] for name in names])
        self._register_values("weight", [scale.fit_line[name] for name in names])  # [columns, 2]
        self._register_values("bias", scale.fit_line[""])

    def compute_logits(self, features: Tensor) -> Tensor:
        """Map [B, F] raw features to the line's logits [B, 2]."""
        return self._apply_line(features.index_select(1, self.columns))

    def compute_candidate_logits(self, candidate_values: Tensor) -> Tensor:
        """Map [B, Fc] raw features of the candidates to the line's logits [B, 2]."""
        return self._apply_line(candidate_values.index_select(1, self.candidate_columns))

    def mix_logits(self, of_network: Tensor, of_line: Tensor) -> Tensor:
        """Map both logits [B, 2] to their weighted mean [B, 2]."""
        return torch.lerp(of_network.float(), of_line.float(), self.share)

    def _apply_line(self, raw: Tensor) -> Tensor:
        z = ((raw - self.mean) / self.std).clamp_(-self.clip, self.clip)
        return torch.addmm(self.bias, z, self.weight)

    def _register_values(
        self, name: str, values: Sequence[object], kind: torch.dtype = torch.float32
    ) -> None:
        self.register_buffer(name, torch.tensor(values, dtype=kind), persistent=False)


def build_fit_line(
    spec: InputSpec,
    head: RelevanceHead,
    scale: Standardisation,
    share: float,
    included: Sequence[bool],
    clip: float,
) -> FitLine | None:
    """Build the line; None where it does not suit the head or the features that the model reads.

    Args:
        share: part of the line in the logits, 0 to 1.
        included: for each feature of the spec, whether the model reads it.
    """
    suits = head.chain and all(included[i] for i in spec.fit_positions)
    if share <= 0 or not suits or not scale.fit_line:
        return None
    return FitLine(spec, scale, share, clip)
