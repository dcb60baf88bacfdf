"""The gate that PEPNet and the MD mask share: factors around 1 from the region and the input."""

import torch
from torch import Tensor, nn

from model.layers import build_mlp
from model.regions.base import RegionContext, SeenRegions


class Gate(nn.Module):
    """m = 2 sigmoid(MLP([c ; stopgrad(x_cond)])) for seen regions, exactly 1 for all others.

    The last layer starts at 0, so a new gate is neutral too. c is an embedding of the region; no
    gradient reaches the input through the condition.

    Args:
        context: the region part's.
        condition: units of the input that the gate may look at, in order; none: the region alone.
        out_dim: factors per row (count).
        by_region: whether it sees c.
    """

    condition: Tensor

    def __init__(
        self, context: RegionContext, condition: list[int], out_dim: int, by_region: bool = True
    ) -> None:
        super().__init__()
        conf = context.conf
        self.seen_regions = SeenRegions(context)
        self.embedding = (
            nn.Embedding(context.regions + 1, conf.region_embedding) if by_region else None
        )
        self.register_buffer(
            "condition", torch.tensor(condition, dtype=torch.long), persistent=False
        )
        width = len(condition) + (conf.region_embedding if by_region else 0)
        last = nn.Linear(conf.mask_hidden[-1] if conf.mask_hidden else width, out_dim)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.layers = nn.Sequential(*build_mlp(width, conf.mask_hidden), last)

    def forward(self, x: Tensor, region: Tensor) -> Tensor:
        """Map [B, in_dim] and region ids [B] to factors [B, out_dim] in 0 .. 2."""
        ids = self.seen_regions(region)
        parts = [x.detach().index_select(1, self.condition)]
        if self.embedding is not None:
            parts.insert(0, self.embedding(ids))
        factors = 2.0 * torch.sigmoid(self.layers(torch.cat(parts, dim=1)))
        return torch.where((ids > 0).unsqueeze(1), factors, torch.ones_like(factors))
