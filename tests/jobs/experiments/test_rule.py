"""The rule of the pick, asked of test figures: broken or not, and non-inferiority."""

import numpy as np
import pytest

from jobs.experiments.rule import RuleOutcome
from model.evaluation.bootstrap import Estimate
from model.experiments.figures import Figure, UnitRows

KEEP = RuleOutcome("max_relevance", tau=0.9, loss=0.01, k=10)
REACH = RuleOutcome("max_engagement", tau=0.9, loss=0.01, k=10)


def figures(relevance: float, engagement: float, change: float) -> list[Figure]:
    rows = UnitRows(np.zeros(1, np.int64), 1, "all")
    values = zip(KEEP.metrics, (relevance, engagement, change), strict=True)
    return [rows.build_mean(name, np.asarray([value])) for name, value in values]


@pytest.mark.parametrize(("change", "broken"), [(-0.0049, False), (-0.0052, True), (0.02, False)])
def test_one_percent_of_the_order_without_relevance_may_be_lost(
    change: float, broken: bool
) -> None:
    assert KEEP.is_broken(figures(0.95, 0.5 + change, change)) is broken


def test_the_margin_is_a_share_of_the_order_without_relevance() -> None:
    """.8 without relevance, of which half may go: .4."""
    half = RuleOutcome("max_relevance", tau=0.9, loss=0.5, k=10)
    assert half.is_broken(figures(0.95, 0.39, -0.41)) and not half.is_broken(
        figures(0.95, 0.41, -0.39)
    )
    assert half.judge_loss(Estimate(-0.39, -0.399, -0.38), 0.41) == "yes, within 0.5"
    assert half.judge_loss(Estimate(-0.41, -0.42, -0.401), 0.39) == "no, beyond 0.5"


@pytest.mark.parametrize(("relevance", "broken"), [(0.91, False), (0.89, True)])
def test_a_least_relevance_must_be_reached(relevance: float, broken: bool) -> None:
    assert REACH.is_broken(figures(relevance, 0.1, -0.4)) is broken


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (-0.004, 0.001, "yes, within 0.01"),
        (-0.006, 0.001, "cannot tell"),
        (-0.009, -0.006, "no, beyond 0.01"),
        (None, None, "cannot tell"),
    ],
)
def test_engagement_is_kept_where_the_whole_interval_is_above_the_margin(
    low: float | None, high: float | None, words: str
) -> None:
    assert KEEP.judge_loss(Estimate(0.0, low, high), 0.5) == words
