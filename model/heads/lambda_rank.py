"""NDCG-weighted pairs beside CORAL's cross-entropy."""

from torch import Tensor

from conf.sections.model import ModelConf
from model.heads.coral import CoralHead
from model.losses import TaskLoss, lambda_rank_loss


class LambdaRankHead(CoralHead):
    """CORAL's one score, which pairs of a list order too, weighted by their effect on NDCG.

    CORAL's cross-entropy keeps the score on the scale of log-odds, so that probabilities exist;
    `list_weight` times the pairwise loss works on the same score.
    """

    needs_lists = True

    def __init__(self, in_dim: int, conf: ModelConf) -> None:
        super().__init__(in_dim, conf)
        self.list_weight = conf.list_weight

    def compute_loss(
        self, logits: Tensor, label_ge: Tensor, weight: Tensor, list_code: Tensor
    ) -> TaskLoss:
        """Compute both losses as sums over rows, see `thresholds_loss` and `lambda_rank_loss`."""
        graded = super().compute_loss(logits, label_ge, weight, list_code)
        ranked = lambda_rank_loss(logits[:, 0], label_ge, weight, list_code)
        return TaskLoss(graded.total + self.list_weight * ranked.total, graded.weight)
