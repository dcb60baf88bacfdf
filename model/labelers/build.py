"""A new labeler of the kind that the conf names."""

from importlib import import_module
from typing import Any

from conf.schema import Conf
from model.labelers.base import Labeler
from model.labelers.store import MODULES


def build_labeler(conf: Conf) -> Labeler:
    """Build an unfitted labeler of `conf.labeler.kind`, made by its module's `build(conf)`."""
    module: Any = import_module(MODULES[conf.labeler.kind])
    labeler: Labeler = module.build(conf)
    return labeler
