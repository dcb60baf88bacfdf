"""Two thresholds that keep their order whatever the optimiser does."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

_NARROWEST = 1e-3
"""Least distance at the start: softplus reaches 0 nowhere."""


class Gap(nn.Module):
    """A distance > 0 between two thresholds: softplus of a free parameter."""

    def __init__(self) -> None:
        super().__init__()
        self.free = nn.Parameter(torch.ones(1))

    def start_at(self, distance: float) -> None:
        """Set the distance (kept at 1e-3 or more)."""
        with torch.no_grad():
            self.free.fill_(math.log(math.expm1(max(distance, _NARROWEST))))

    def forward(self) -> Tensor:
        """Compute the distance, [1]."""
        return functional.softplus(self.free)
