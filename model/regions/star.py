"""STAR's region-wise layer between the input and the backbone."""

from collections.abc import Iterator
from itertools import chain

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.regions.base import RegionContext, RegionPart, SeenRegions


class StarLayer(RegionPart):
    """z = (g * g_r) * x + (b + b_r); x' = relu((W * W_r) z + v + v_r), * element by element.

    STAR (arXiv 2101.11427) as far as a part in front of any backbone can be it. Kept: one layer of
    the star topology (shared weights times the region's, shared bias plus the region's) and the
    scales and shifts of partitioned normalisation. Not kept: moments by region, since the input
    is standardised by the moments of all training rows and g_r, b_r make any region's own ones of
    them, without the noise of small regions in a batch; the star form of the deeper layers, which
    belong to the backbone; and the auxiliary network, whose place region_index takes.

    The region's factors are 1 + a free part that starts at 0: a new layer is the shared one, weight
    decay pulls towards it, and it is what a region unseen in training gets. Width: the backbone's
    first layer, `hidden[0]`.
    """

    def __init__(self, context: RegionContext) -> None:
        super().__init__()
        width, regions = context.in_dim, context.regions
        self.out_dim = context.conf.hidden[0]
        self.seen_regions = SeenRegions(context)
        self.shared = nn.Linear(width, self.out_dim)
        self.scale, self.shift = nn.Parameter(torch.ones(width)), nn.Parameter(torch.zeros(width))
        self.region_scale = nn.Parameter(torch.zeros(regions, width))
        self.region_shift = nn.Parameter(torch.zeros(regions, width))
        self.region_weight = nn.Parameter(torch.zeros(regions, self.out_dim, width))
        self.region_bias = nn.Parameter(torch.zeros(regions, self.out_dim))

    def forward(self, x: Tensor, region: Tensor) -> Tensor:
        """Map [B, in_dim] and region ids [B] to [B, hidden[0]]."""
        ids = self.seen_regions(region)
        order = torch.argsort(ids, stable=True)
        counts = torch.bincount(ids, minlength=len(self.region_scale) + 1).tolist()
        layers = zip(torch.split(x[order], counts), self._build_layers(), strict=True)
        outputs = [functional.linear(g * part + b, w, v) for part, (g, b, w, v) in layers]
        return functional.relu(torch.cat(outputs)[torch.argsort(order)])

    def _build_layers(self) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor]]:
        """Scale, shift, weight and bias of each region id from 0, whose layer is the shared one."""
        shared = (self.scale, self.shift, self.shared.weight, self.shared.bias)
        scale = self.scale * (1.0 + self.region_scale)
        shift = self.shift + self.region_shift
        weight = self.shared.weight * (1.0 + self.region_weight)
        bias = self.shared.bias + self.region_bias
        # Unbound at once: the gradient of a slice would be as large as the whole, for each region.
        by_region = (torch.unbind(stacked) for stacked in (scale, shift, weight, bias))
        return chain([shared], zip(*by_region, strict=True))
