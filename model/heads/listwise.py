"""ListNet on the expected grade beside the chain's cross-entropy."""

from torch import Tensor

from conf.sections.model import ModelConf
from model.heads.ordinal import CornHead
from model.losses import TaskLoss, listnet_loss


class ListwiseHead(CornHead):
    """The conditional chain with a loss over the items of a list as well.

    CORN's negative log-likelihood of the grade, plus `list_weight` times ListNet between the
    expected grades of the labels and those of the predictions, P(>= 1) + P(>= 2). Both are lowest
    where the prediction is the label's expectation, so the list does not pull against calibration
    (the idea of RCR, arXiv 2211.01494).
    """

    needs_lists = True

    def __init__(self, in_dim: int, conf: ModelConf) -> None:
        super().__init__(in_dim, conf)
        self.list_weight = conf.list_weight

    def compute_loss(
        self, logits: Tensor, label_ge: Tensor, weight: Tensor, list_code: Tensor
    ) -> TaskLoss:
        """Compute both losses as sums over rows, see `corn_loss` and `listnet_loss`."""
        chain = super().compute_loss(logits, label_ge, weight, list_code)
        expected = self.compute_probabilities(logits).sum(dim=1)
        ranked = listnet_loss(expected, label_ge, weight, list_code)
        return TaskLoss(chain.total + self.list_weight * ranked.total, ranked.weight)
