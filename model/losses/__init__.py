"""Losses, one per file; each gives a sum and the weight behind it."""

from model.losses.base import TaskLoss, total_loss
from model.losses.bernoulli import LogProb, compute_log1m_exp, log_prob_of, masked_bce
from model.losses.corn import corn_loss
from model.losses.descending import descending_loss
from model.losses.grade_entropy import grade_entropy
from model.losses.lambda_rank import lambda_rank_loss
from model.losses.listnet import listnet_loss
from model.losses.squared import squared_error
from model.losses.thresholds import thresholds_loss

__all__ = [
    "LogProb",
    "TaskLoss",
    "compute_log1m_exp",
    "corn_loss",
    "descending_loss",
    "grade_entropy",
    "lambda_rank_loss",
    "listnet_loss",
    "log_prob_of",
    "masked_bce",
    "squared_error",
    "thresholds_loss",
    "total_loss",
]
