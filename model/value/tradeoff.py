"""Picks the relevance weight from a swept curve of relevance and engagement."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Rule = Literal["max_engagement", "max_relevance"]


@dataclass(frozen=True)
class CurvePoint:
    """What one relevance weight gives.

    Attributes:
        relevance: NDCG of the graded lists.
        engagement: figure in the currency.
        engagement_share: engagement over that of the smallest weight, as `model.value.shares` has
            it.
    """

    w_relevance: float
    relevance: float
    engagement: float
    engagement_share: float


@dataclass(frozen=True)
class Pick:
    """The chosen point; `satisfied` is False where no point met the rule's condition."""

    point: CurvePoint
    satisfied: bool


def describe_rule(rule: Rule, k: int, tau: float, engagement_loss: float) -> str:
    """Describe the rule in words."""
    if rule == "max_engagement":
        return f"most engagement subject to relevance NDCG@{k} >= {tau:g}"
    return (
        f"most relevance subject to engagement@{k} within {engagement_loss:.3g} "
        "(relative) of the best of the sweep"
    )


def pick_point(
    points: Sequence[CurvePoint], rule: Rule, tau: float, engagement_loss: float
) -> Pick:
    """Apply the epsilon-constraint rule; of equal points the one with the smaller weight wins.

    Engagement is compared by the share that is left of it. Where no point reaches tau,
    max_engagement takes the point with the most relevance. max_relevance always has a point: the
    best engagement of the sweep itself.

    Raises:
        ValueError: no points.
    """
    if not points:
        raise ValueError("no points to pick from")
    if rule == "max_relevance":
        least = max(p.engagement_share for p in points) * (1.0 - engagement_loss)
        feasible = [p for p in points if p.engagement_share >= least]
        return Pick(max(feasible, key=lambda p: (p.relevance, -p.w_relevance)), True)
    feasible = [p for p in points if p.relevance >= tau]
    if feasible:
        return Pick(max(feasible, key=lambda p: (p.engagement_share, -p.w_relevance)), True)
    return Pick(max(points, key=lambda p: (p.relevance, -p.w_relevance)), False)
