"""What the region does to the input before the backbone, one part per file, chosen by conf."""

from collections.abc import Callable

from model.regions.base import RegionContext, RegionPart
from model.regions.feature import RegionFeature
from model.regions.md import MdMask
from model.regions.none import NoMask
from model.regions.pepnet import PepnetGate
from model.regions.star import StarLayer

PARTS: dict[str, Callable[[RegionContext], RegionPart]] = {
    "none": NoMask,
    "feature": RegionFeature,
    "pepnet": PepnetGate,
    "star": StarLayer,
    "md": MdMask,
}
"""Part by conf name: context -> module that maps (x [B, D], region ids [B]) to [B, out_dim]."""

__all__ = ["PARTS", "NoMask", "RegionContext", "RegionPart"]
