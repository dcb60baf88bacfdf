"""Layers between the input and the heads, one family per file, chosen by conf."""

from collections.abc import Callable

from conf.sections.model import ModelConf
from model.backbones.adatt import Adatt
from model.backbones.aitm import Aitm
from model.backbones.base import Backbone
from model.backbones.esmm import Esmm
from model.backbones.mmoe import Mmoe
from model.backbones.ple import Ple
from model.backbones.resflow import Resflow
from model.backbones.seq import Seq
from model.backbones.shared_bottom import SharedBottom
from model.backbones.tabm import Tabm

BACKBONES: dict[str, Callable[[int, tuple[str, ...], ModelConf], Backbone]] = {
    "shared_bottom": SharedBottom,
    "mmoe": Mmoe,
    "ple": Ple,
    "adatt": Adatt,
    "esmm": Esmm,
    "aitm": Aitm,
    "resflow": Resflow,
    "seq": Seq,
    "tabm": Tabm,
}
"""Backbone by conf name: (input width, tasks in order, conf) -> module."""

__all__ = ["BACKBONES", "Backbone"]
