"""What the region does to the input before the backbone, one part a file, chosen by conf."""

from collections.abc import Callable, Sequence

from torch import nn

from model.regions.none import NoMask

PARTS: dict[str, Callable[[Sequence[bool], int], nn.Module]] = {"none": NoMask}
"""Part by conf name: (region-dependence of each input unit, regions) -> module.

A part maps (x [B, D], region [B] ids, 0 unknown) -> [B, D].
"""

__all__ = ["PARTS", "NoMask"]
