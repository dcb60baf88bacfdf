"""How a step's probability follows from the step before it; chosen by conf, whatever the backbone.

Every link turns one logit per step into log-probabilities at a position, and says how the position
counts in it and at which logits the towers start.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from conf.sections.model import ModelConf
from model.backbones.base import Backbone
from model.heads.position_bias import PositionBias
from model.losses.bernoulli import LogProb, compute_log1m_exp, log_prob_of

_LOWEST = 1e-4
"""Distance that a rate keeps from 0 and 1, so that its log-odds are finite."""


class Link:
    """p_t = sigmoid(logit_t) of each step by itself.

    Attributes:
        linked_layers: the hidden layers of a step's tower also add those of the step before.
        ordered: p_1 >= p_2 >= ... for any logits.
    """

    linked_layers = False
    ordered = False

    def count_biased(self, tasks: int) -> int:
        """Count the steps that have a position bias of their own."""
        return tasks

    def compute_start_logits(self, rates: Sequence[float]) -> list[float]:
        """Compute the logits at which the steps have the given rates (kept within 1e-4 of 0 and
        1)."""
        return [compute_log_odds(rate) for rate in rates]

    def compute_log_prob(
        self, logits: Tensor, position: Tensor | None, bias: PositionBias
    ) -> LogProb:
        """Map logits [B, T] and positions [B] (None: position 1) to log-probabilities [B, T]."""
        log_prob: LogProb = bias(logits, position)
        return log_prob

    def compute_probabilities(self, logits: Tensor) -> Tensor:
        """Map logits [B, T] to probabilities at position 1 [B, T]."""
        return torch.sigmoid(logits.float())


class ResidualLink(Link):
    """p_t = sigmoid(logit_1 + ... + logit_t): a step adds to the logit of the step before.

    ResFlow (arXiv 2411.09705): residual links between the same layers of consecutive tasks'
    networks, logits included. The order is not promised.
    """

    linked_layers = True

    def compute_start_logits(self, rates: Sequence[float]) -> list[float]:
        """Compute the differences of the log-odds from step to step."""
        odds = [compute_log_odds(rate) for rate in rates]
        return [odd - before for odd, before in zip(odds, [0.0, *odds[:-1]], strict=True)]

    def compute_log_prob(
        self, logits: Tensor, position: Tensor | None, bias: PositionBias
    ) -> LogProb:
        """Map [B, T] and [B] to log-probabilities [B, T]; the bias acts on the summed logits."""
        return super().compute_log_prob(logits.float().cumsum(dim=1), position, bias)

    def compute_probabilities(self, logits: Tensor) -> Tensor:
        """Map [B, T] to probabilities at position 1 [B, T]."""
        return torch.sigmoid(logits.float().cumsum(dim=1))


class ConditionalLink(Link):
    """p_t = p_{t-1} * sigmoid(logit_t): each logit is of P(step t | step t - 1).

    ESMM's p_ctcvr = p_ctr * p_cvr (arXiv 1804.07931), carried on along the funnel. The losses of
    all steps are over all impressions. The position counts in the first step only: what follows
    an examined item's first step no longer depends on where it stood.
    """

    ordered = True

    def count_biased(self, tasks: int) -> int:
        """Count the first step alone."""
        return 1

    def compute_start_logits(self, rates: Sequence[float]) -> list[float]:
        """Compute the log-odds of each rate over the one before.

        This link cannot make a step likelier than the step before it: a step that is more frequent
        in the log starts at nearly the same rate."""
        pairs = zip(rates, [1.0, *rates[:-1]], strict=True)
        return [compute_log_odds(rate / before if before > 0 else 0.5) for rate, before in pairs]

    def compute_log_prob(
        self, logits: Tensor, position: Tensor | None, bias: PositionBias
    ) -> LogProb:
        """Map [B, T] and [B] to log-probabilities [B, T], never rising along T."""
        first_step: LogProb = bias(logits[:, :1], position)
        later = log_prob_of(logits[:, 1:]).log_p
        log_p = torch.cat([first_step.log_p, later], dim=1).cumsum(dim=1)
        return LogProb(
            log_p, torch.cat([first_step.log_not_p, compute_log1m_exp(log_p[:, 1:])], dim=1)
        )

    def compute_probabilities(self, logits: Tensor) -> Tensor:
        """Map [B, T] to probabilities at position 1 [B, T]."""
        return torch.sigmoid(logits.float()).cumprod(dim=1)


LINKS: dict[str, Link] = {
    "independent": Link(),
    "conditional": ConditionalLink(),
    "residual": ResidualLink(),
}


def choose_link(conf: ModelConf, backbone: Backbone) -> Link:
    """Give the link that conf names; `auto`: what the backbone's paper does."""
    return LINKS[backbone.own_link if conf.link == "auto" else conf.link]


def choose_descending_weight(conf: ModelConf, backbone: Backbone) -> float:
    """Give the weight of the penalty on rising steps; by default the backbone's own.

    A link that is ordered by itself has none.
    """
    if choose_link(conf, backbone).ordered:
        return 0.0
    return backbone.own_descending if conf.descending is None else conf.descending


def compute_log_odds(rate: float) -> float:
    """Compute log(rate / (1 - rate)), the rate kept within 1e-4 of 0 and 1."""
    clipped = min(max(rate, _LOWEST), 1.0 - _LOWEST)
    return math.log(clipped / (1.0 - clipped))
