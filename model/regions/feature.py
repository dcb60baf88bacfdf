"""The region as a feature: its embedding beside the input."""

import torch
from torch import Tensor, nn

from model.regions.base import RegionContext, RegionPart, SeenRegions


class RegionFeature(RegionPart):
    """x' = [x ; c], c an embedding of the region; 0 for a region that training has not seen.

    The plain way to tell a model the region, and the baseline of the masks. It is wider than the
    embedding that the category region_index has in the input layer like any other.
    """

    def __init__(self, context: RegionContext) -> None:
        super().__init__()
        self.seen_regions = SeenRegions(context)
        self.embedding = nn.Embedding(context.regions + 1, context.conf.region_embedding)
        self.out_dim = context.in_dim + context.conf.region_embedding

    def forward(self, x: Tensor, region: Tensor) -> Tensor:
        """Map [B, in_dim] and region ids [B] to [B, in_dim + region_embedding]."""
        ids = self.seen_regions(region)
        seen = (ids > 0).unsqueeze(1)
        return torch.cat([x, self.embedding(ids) * seen], dim=1)
