"""Losses, one a file; each gives a sum and the weight behind it."""

from model.losses.base import TaskLoss, total_loss
from model.losses.bernoulli import LogProb, log1m_exp, masked_bce, of_logit
from model.losses.corn import corn_loss
from model.losses.descending import descending_loss

__all__ = [
    "LogProb",
    "TaskLoss",
    "corn_loss",
    "descending_loss",
    "log1m_exp",
    "masked_bce",
    "of_logit",
    "total_loss",
]
