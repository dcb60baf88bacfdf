"""ESMM: one bottom per task over common embeddings; the probabilities of the steps are
multiplied."""

from torch import Tensor, nn

from conf.sections.model import ModelConf
from model.backbones.base import Backbone
from model.backbones.grouped import GroupedStack


class Esmm(Backbone):
    """bottom_t(x) for each task, widths `conf.hidden`; only the input layer is shared.

    ESMM (arXiv 1804.07931): p_ctr and p_cvr have networks of their own over a shared embedding
    table, and p_ctcvr = p_ctr * p_cvr is learnt over all impressions. The product is the head's
    `conditional` link, which is this backbone's own; with three steps it goes on,
    p_purchase = p_click * p(cart | click) * p(purchase | cart). Relevance, where there is one,
    gets a bottom of its own and no part in the product.
    """

    own_link = "conditional"

    def __init__(self, in_dim: int, tasks: tuple[str, ...], conf: ModelConf) -> None:
        super().__init__(in_dim, conf.hidden[-1], tasks)
        self.first = nn.Linear(in_dim, len(tasks) * conf.hidden[0])
        self.bottoms = GroupedStack(len(tasks), conf)

    def first_linear(self) -> nn.Linear:
        """Give the first layers of all bottoms, side by side."""
        return self.first

    def after_first(self, hidden: Tensor) -> dict[str, Tensor]:
        """Map [B, T * hidden[0]] to [B, out_dim] by task."""
        return dict(zip(self.tasks, self.bottoms(hidden).unbind(0), strict=True))
