"""PEPNet's gate on the whole input."""

from torch import Tensor

from model.regions.base import RegionContext, RegionPart
from model.regions.gate import Gate


class PepnetGate(RegionPart):
    """x' = 2 sigmoid(MLP([c ; stopgrad(x)])) * x, unit by unit.

    The embedding gate (EPNet) of PEPNet (arXiv 2302.01115) with the region as its domain. The
    paper gates embeddings; here the standardised numbers of the input are gated too. Neutral at
    the start and for unseen regions: ours, the paper does not say.
    """

    def __init__(self, context: RegionContext) -> None:
        super().__init__()
        self.out_dim = context.in_dim
        self.gate = Gate(context, list(range(context.in_dim)), context.in_dim)

    def forward(self, x: Tensor, region: Tensor) -> Tensor:
        """Map [B, in_dim] and region ids [B] to [B, in_dim]."""
        factors: Tensor = self.gate(x, region)
        return x * factors
