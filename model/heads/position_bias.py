"""What the position on the page does to the logged engagement; used in training only.

Every form is neutral at position 1 and at position 0 (never shown, or not logged), so that a
prediction without a position means "shown at position 1". A log without positions therefore
trains towards its average position. Where the logger ranked by relevance, a bias tower can
absorb some of it (arXiv 2212.13937): the forms here are close to 1 / position, which leaves
little room for that.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.losses.bernoulli import LogProb, compute_log1m_exp, log_prob_of

_STRETCHES = (2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
"""Ends of the stretches of positions: finer on top, where positions differ most."""


class PositionBias(nn.Module):
    """Turns the logits of position 1 into log-probabilities at the logged position."""

    def __init__(self, tasks: int, max_position: int) -> None:
        super().__init__()
        self.max_position = max_position

    def forward(self, logits: Tensor, position: Tensor | None) -> LogProb:
        """Map [B, T] logits and [B] positions (None: position 1) to log-probabilities [B, T]."""
        if position is None:
            return log_prob_of(logits)
        return self.apply_bias(logits.float(), position.clamp(0, self.max_position).long())

    def apply_bias(self, logits: Tensor, position: Tensor) -> LogProb:
        """Turn logits [B, T] into log-probabilities [B, T] at whole positions 0 .. max_position
        [B]."""
        raise NotImplementedError


class NoBias(PositionBias):
    """The position does not count."""

    def apply_bias(self, logits: Tensor, position: Tensor) -> LogProb:
        """Map [B, T] and [B] to log-probabilities [B, T]."""
        return log_prob_of(logits)


class AdditiveBias(PositionBias):
    """logit_t + b_t(position), b_t(p) = -a_t log p + r_t[p], b_t(1) = 0.

    An additive tower on the logits as in YouTube's ranker (RecSys 2019). The slope a_t starts
    at 1, for examination that falls as 1 / p, and the table r_t at 0.
    """

    def __init__(self, tasks: int, max_position: int) -> None:
        super().__init__(tasks, max_position)
        self.slope = nn.Parameter(torch.ones(tasks))
        self.table = nn.Parameter(torch.zeros(max_position + 1, tasks))

    def compute_bias(self, position: Tensor) -> Tensor:
        """Map [B] whole positions to [B, T], 0 at positions 0 and 1."""
        log = position.clamp(min=1).float().log().unsqueeze(1)
        return (position > 1).unsqueeze(1) * (self.table[position] - self.slope * log)

    def apply_bias(self, logits: Tensor, position: Tensor) -> LogProb:
        """Map [B, T] and [B] to log-probabilities [B, T]."""
        return log_prob_of(logits + self.compute_bias(position))


class PositionInput(nn.Module):
    """Gives the position to the network as one more feature, held at 1 when it scores.

    This is what a team does that gives a position to its trees. There is one unit per stretch of
    positions; it says how much of the stretch the position has passed, from 0 to 1. At position 1
    all units are 0, so scoring needs none of them. Unlike a tower, the feature lets the position
    act differently on each item, and it may explain by the position what the item did."""

    low: Tensor
    high: Tensor

    def __init__(self, width: int, max_position: int) -> None:
        """Add to `width` units of the first layer."""
        super().__init__()
        edges = [1, *(edge for edge in _STRETCHES if edge < max_position), max(max_position, 2)]
        for name, values in (("low", edges[:-1]), ("high", edges[1:])):
            self.register_buffer(name, torch.tensor(values, dtype=torch.float32), persistent=False)
        self.layer = nn.Linear(len(edges) - 1, width, bias=False)

    def forward(self, position: Tensor) -> Tensor:
        """Map [B] positions to [B, width], 0 at positions 0 and 1."""
        through = (position.float().unsqueeze(1) - self.low) / (self.high - self.low)
        added: Tensor = self.layer(through.clamp(0.0, 1.0))
        return added


class MultiplicativeBias(PositionBias):
    """p_t = seen_t(position) * sigmoid(logit_t): PAL (RecSys 2019).

    seen_t(p) = p ** -softplus(s_t + r_t[p]): 1 at position 1, never above 1, and 1 / p at the
    start.
    """

    def __init__(self, tasks: int, max_position: int) -> None:
        super().__init__(tasks, max_position)
        self.slope = nn.Parameter(torch.full((tasks,), math.log(math.expm1(1.0))))
        self.table = nn.Parameter(torch.zeros(max_position + 1, tasks))

    def compute_log_seen(self, position: Tensor) -> Tensor:
        """Map [B] whole positions to log seen [B, T], 0 at positions 0 and 1."""
        log = position.clamp(min=1).float().log().unsqueeze(1)
        return -log * functional.softplus(self.slope + self.table[position])

    def apply_bias(self, logits: Tensor, position: Tensor) -> LogProb:
        """Map [B, T] and [B] to log-probabilities [B, T]."""
        attractive = log_prob_of(logits)
        log_p = attractive.log_p + self.compute_log_seen(position)
        on_top = (position <= 1).unsqueeze(1)
        return LogProb(log_p, torch.where(on_top, attractive.log_not_p, compute_log1m_exp(log_p)))
