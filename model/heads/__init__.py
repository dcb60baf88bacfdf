"""Task heads, one a file."""

from collections.abc import Callable

from conf.sections.training import ModelConf
from model.heads.base import RelevanceHead
from model.heads.engagement import EngagementHead
from model.heads.ordinal import CornHead
from model.heads.position_bias import AdditiveBias, MultiplicativeBias, NoBias, PositionBias

RELEVANCE_HEADS: dict[str, Callable[[int, ModelConf], RelevanceHead]] = {"corn": CornHead}
POSITION_BIASES: dict[str, Callable[[int, int], PositionBias]] = {
    "additive": AdditiveBias,
    "multiplicative": MultiplicativeBias,
    "none": NoBias,
}

__all__ = [
    "POSITION_BIASES",
    "RELEVANCE_HEADS",
    "AdditiveBias",
    "CornHead",
    "EngagementHead",
    "MultiplicativeBias",
    "NoBias",
    "PositionBias",
    "RelevanceHead",
]
