"""What a region part is built from and what it gives."""

from dataclasses import dataclass

from torch import Tensor, nn

from conf.sections.training import ModelConf


@dataclass(frozen=True)
class RegionContext:
    """What a region part may know when it is built.

    Attributes:
        regional: for each unit of the input, whether it comes from a region-dependent feature.
        regions: known regions (count); ids run from 1 to it, 0 is unknown.
        conf: the model's conf.
    """

    regional: tuple[bool, ...]
    regions: int
    conf: ModelConf

    @property
    def in_dim(self) -> int:
        """Width of the input (units)."""
        return len(self.regional)


class RegionPart(nn.Module):
    """Changes the input by the row's region, in front of any backbone.

    Attributes:
        out_dim: width of what it gives (units).
    """

    out_dim: int

    def forward(self, x: Tensor, region: Tensor) -> Tensor:
        """[B, in_dim] and region ids [B] -> [B, out_dim]."""
        raise NotImplementedError
