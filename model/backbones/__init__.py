"""Layers between the input and the heads, one family a file, chosen by conf."""

from collections.abc import Callable

from conf.sections.training import ModelConf
from model.backbones.base import Backbone
from model.backbones.shared_bottom import SharedBottom

BACKBONES: dict[str, Callable[[int, tuple[str, ...], ModelConf], Backbone]] = {
    "shared_bottom": SharedBottom
}
"""Backbone by conf name: (input width, tasks in order, conf) -> module."""

__all__ = ["BACKBONES", "Backbone", "SharedBottom"]
