"""What a region part is built from and what it gives."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from conf.sections.model import ModelConf
from model.spec import SpecError


@dataclass(frozen=True)
class RegionContext:
    """What a region part may know when it is built.

    Attributes:
        regional: for each unit of the input, whether it comes from a region-dependent feature.
        regions: known regions (count); ids run from 1 to it, 0 is unknown.
        conf: the model's conf.
        rows: training rows by region id from 0; empty where they were not counted, and then
            every known region counts as seen.
    """

    regional: tuple[bool, ...]
    regions: int
    conf: ModelConf
    rows: tuple[int, ...] = ()

    @property
    def in_dim(self) -> int:
        """Width of the input (units)."""
        return len(self.regional)

    @property
    def seen(self) -> tuple[bool, ...]:
        """By region id from 0: whether training has taught the part something about it."""
        rows = self.rows or (1,) * (self.regions + 1)
        return (False, *(n > 0 for n in rows[1:]))


class RegionPart(nn.Module):
    """Changes the input by the row's region, in front of any backbone.

    Attributes:
        out_dim: width of what it gives (units).
    """

    out_dim: int

    def forward(self, x: Tensor, region: Tensor) -> Tensor:
        """Map [B, in_dim] and region ids [B] to [B, out_dim]."""
        raise NotImplementedError


class SeenRegions(nn.Module):
    """Tells the regions that training has seen from all others."""

    seen: Tensor

    def __init__(self, context: RegionContext) -> None:
        super().__init__()
        if not any(context.seen):
            raise SpecError(
                f"model.region_mask {context.conf.region_mask} needs rows of known regions: the "
                f"snapshot declares {context.regions} regions, and no training row is of one"
            )
        self.register_buffer("seen", torch.tensor(context.seen), persistent=False)

    def forward(self, region: Tensor) -> Tensor:
        """Set the ids [B] of regions without a training row to 0."""
        declared = torch.where(region < len(self.seen), region, torch.zeros_like(region))
        return torch.where(self.seen[declared], declared, torch.zeros_like(declared))
