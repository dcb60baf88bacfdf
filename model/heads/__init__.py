"""Task heads, one per file."""

from collections.abc import Callable

from conf.sections.model import ModelConf
from model.heads.base import RelevanceHead
from model.heads.coral import CoralHead
from model.heads.engagement import EngagementHead
from model.heads.fit_line import LINE, FitLine, build_fit_line
from model.heads.independent import IndependentHead
from model.heads.lambda_rank import LambdaRankHead
from model.heads.listwise import ListwiseHead
from model.heads.mse import MseHead
from model.heads.ordinal import CornHead
from model.heads.position_bias import (
    AdditiveBias,
    MultiplicativeBias,
    NoBias,
    PositionBias,
    PositionInput,
)
from model.heads.softmax import SoftmaxHead
from model.spec import SpecError
from model.standardise import Standardisation

RELEVANCE_HEADS: dict[str, type[RelevanceHead]] = {
    "corn": CornHead,
    "coral": CoralHead,
    "independent": IndependentHead,
    "softmax": SoftmaxHead,
    "mse": MseHead,
    "listwise": ListwiseHead,
    "lambda": LambdaRankHead,
}
POSITION_BIASES: dict[str, Callable[[int, int], PositionBias]] = {
    "additive": AdditiveBias,
    "multiplicative": MultiplicativeBias,
    "input": NoBias,
    "none": NoBias,
}


def build_relevance_head(in_dim: int, conf: ModelConf, scale: Standardisation) -> RelevanceHead:
    """Build the head that conf names, at the label rates of the training rows.

    Raises:
        SpecError: the training rows carry soft labels and the head cannot take them.
    """
    head = RELEVANCE_HEADS[conf.relevance_head]
    if scale.soft_labels and not head.takes_soft:
        fit = sorted(name for name, other in RELEVANCE_HEADS.items() if other.takes_soft)
        raise SpecError(
            f"model.relevance_head {conf.relevance_head} needs whole grades, and "
            f"{scale.soft_labels:,} training rows carry a label between two grades; heads that "
            f"take them: {', '.join(fit)} (or set labels.soft: false)"
        )
    made = head(in_dim, conf)
    made.start_at(scale.rates)
    return made


__all__ = [
    "LINE",
    "POSITION_BIASES",
    "RELEVANCE_HEADS",
    "EngagementHead",
    "FitLine",
    "PositionInput",
    "RelevanceHead",
    "build_fit_line",
    "build_relevance_head",
]
