"""The MD mask: region-dependent features weighed for the region that they stand in."""

import torch
from torch import Tensor

from model.regions.base import RegionContext, RegionPart
from model.regions.gate import Gate
from model.spec import SpecError


class MdMask(RegionPart):
    """x = [x_inv ; x_dep], m = 2 sigmoid(MLP([c ; stopgrad(x_dep)])), x' = [x_inv ; m * x_dep].

    SEQ+MD (arXiv 2408.13357) splits the features and generates a mask for the region; this form of
    it is our own. The units keep their places, so x' is that up to their order. Ablations by conf:
    `mask_condition` region (c only) or features (x_dep only), `mask_over` all (m on every unit).
    """

    masked: Tensor

    def __init__(self, context: RegionContext) -> None:
        super().__init__()
        conf = context.conf
        dependent = [i for i, flag in enumerate(context.regional) if flag]
        if not dependent:
            raise SpecError(
                "model.region_mask md has nothing to mask: no feature is declared region-dependent"
            )
        masked = list(range(context.in_dim)) if conf.mask_over == "all" else dependent
        self.register_buffer("masked", torch.tensor(masked), persistent=False)
        self.gate = Gate(
            context,
            [] if conf.mask_condition == "region" else dependent,
            len(masked),
            by_region=conf.mask_condition != "features",
        )
        self.out_dim = context.in_dim

    def forward(self, x: Tensor, region: Tensor) -> Tensor:
        """Map [B, in_dim] and region ids [B] to [B, in_dim]."""
        factors = self.gate(x, region).to(x.dtype)
        return x * torch.ones_like(x).index_copy(1, self.masked, factors)
