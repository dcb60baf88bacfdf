"""What the region does to the input before the backbone, one part a file, chosen by conf."""

from collections.abc import Callable

from model.regions.base import RegionContext, RegionPart
from model.regions.none import NoMask

PARTS: dict[str, Callable[[RegionContext], RegionPart]] = {"none": NoMask}
"""Part by conf name: context -> module that maps (x [B, D], region ids [B]) to [B, out_dim]."""

__all__ = ["PARTS", "NoMask", "RegionContext", "RegionPart"]
