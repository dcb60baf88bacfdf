"""No mask: the region counts through its features only."""

from collections.abc import Sequence

from torch import Tensor, nn


class NoMask(nn.Module):
    """The identity."""

    def __init__(self, regional: Sequence[bool], regions: int) -> None:
        super().__init__()

    def forward(self, x: Tensor, region: Tensor) -> Tensor:
        """[B, D] and [B] -> the same [B, D]."""
        return x
