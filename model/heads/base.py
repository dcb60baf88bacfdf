"""What every relevance head keeps."""

from collections.abc import Mapping

from torch import Tensor, nn

from conf.sections.model import ModelConf
from model.heads.engagement import build_tower
from model.losses import TaskLoss


class RelevanceHead(nn.Module):
    """From relevance's representation to P(grade >= 1) and P(grade >= 2).

    Scoring runs `tower` beside the other tasks' towers, so what the head does after it happens in
    `compute_probabilities`, and `forward` is the tower alone.

    Attributes:
        needs_lists: the loss compares the items of a list; without list codes and batches of
            whole lists it means nothing.
        takes_soft: a label may lie between two grades (0 < P(grade >= k) < 1).
        chain: the logits are those of P(grade >= 1) and P(grade >= 2 | grade >= 1).
        outputs: width of the tower's output (units).
    """

    needs_lists = False
    takes_soft = True
    chain = False
    outputs: int

    def __init__(self, in_dim: int, conf: ModelConf) -> None:
        super().__init__()
        self.tower = build_tower(in_dim, self.outputs, conf)

    def start_at(self, rates: Mapping[str, float]) -> None:
        """Set the output biases so that a new head predicts the label rates ge_1 and ge_2.

        A rate is kept within 1e-4 of 0 and 1: a grade that is absent in training starts so
        unlikely and stays it. Rates that are not known change nothing.
        """
        raise NotImplementedError

    def forward(self, hidden: Tensor) -> Tensor:
        """Map [B, in_dim] to logits [B, outputs], which only the head itself understands."""
        logits: Tensor = self.tower(hidden)
        return logits

    def compute_probabilities(self, logits: Tensor) -> Tensor:
        """Map logits [B, outputs] to P(grade >= 1), P(grade >= 2) [B, 2], not increasing."""
        raise NotImplementedError

    def compute_loss(
        self, logits: Tensor, label_ge: Tensor, weight: Tensor, list_code: Tensor
    ) -> TaskLoss:
        """Compute the loss of the rows with a label.

        Args:
            logits: [B, outputs] of `forward`.
            label_ge: [B, 2], P(grade >= k) of the label; any value where weight is 0.
            weight: [B], 0 where there is no label.
            list_code: [B], the list that a row belongs to; read by heads that need lists.
        """
        raise NotImplementedError
