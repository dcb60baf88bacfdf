"""No mask: the region counts through its features only."""

from torch import Tensor

from model.regions.base import RegionContext, RegionPart


class NoMask(RegionPart):
    """The identity."""

    def __init__(self, context: RegionContext) -> None:
        super().__init__()
        self.out_dim = context.in_dim

    def forward(self, x: Tensor, region: Tensor) -> Tensor:
        """Map [B, D] and [B] to the same [B, D]."""
        return x
