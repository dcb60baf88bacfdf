"""The two rules that pick the relevance weight."""

import pytest

from model.value.tradeoff import CurvePoint, Rule, pick_point


def _point(weight: float, relevance: float, engagement: float) -> CurvePoint:
    return CurvePoint(weight, relevance, engagement, engagement_share=engagement / 0.5)


CURVE = [
    _point(0.0, 0.80, 0.500),
    _point(0.1, 0.88, 0.504),
    _point(0.5, 0.93, 0.497),
    _point(2.0, 0.95, 0.450),
]


def test_most_relevance_within_a_loss_of_the_best_engagement() -> None:
    assert pick_point(CURVE, "max_relevance", 0.0, 0.02).point.w_relevance == 0.5
    assert pick_point(CURVE, "max_relevance", 0.0, 0.0).point.w_relevance == 0.1
    assert pick_point(CURVE, "max_relevance", 0.0, 1.0).point.w_relevance == 2.0


def test_most_engagement_above_tau() -> None:
    chosen = pick_point(CURVE, "max_engagement", 0.9, 0.0)
    assert (chosen.point.w_relevance, chosen.satisfied) == (0.5, True)


def test_tau_out_of_reach_falls_back_to_the_closest_and_says_so() -> None:
    chosen = pick_point(CURVE, "max_engagement", 0.99, 0.0)
    assert (chosen.point.w_relevance, chosen.satisfied) == (2.0, False)


@pytest.mark.parametrize("rule", ["max_relevance", "max_engagement"])
def test_of_equal_points_the_smaller_weight_wins(rule: Rule) -> None:
    flat = [_point(w, 0.9, 0.5) for w in (0.0, 0.1, 1.0)]
    assert pick_point(flat, rule, 0.9, 0.01).point.w_relevance == 0.0


def test_nothing_to_pick_from() -> None:
    with pytest.raises(ValueError, match="no points"):
        pick_point([], "max_relevance", 0.9, 0.01)


def test_the_loss_is_relative_to_the_best_engagement() -> None:
    curve = [_point(0.0, 0.80, 0.500), _point(1.0, 0.95, 0.485)]  # -.015 is -3 %
    assert pick_point(curve, "max_relevance", 0.0, 0.02).point.w_relevance == 0.0
    assert pick_point(curve, "max_relevance", 0.0, 0.03).point.w_relevance == 1.0


def test_tau_itself_is_enough() -> None:
    chosen = pick_point(CURVE, "max_engagement", 0.93, 0.0)
    assert (chosen.point.w_relevance, chosen.satisfied) == (0.5, True)


def test_of_equally_close_points_the_smaller_weight_wins() -> None:
    flat = [_point(w, 0.9, 0.5) for w in (0.1, 0.0, 1.0)]
    assert pick_point(flat, "max_engagement", 0.95, 0.0).point.w_relevance == 0.0


def test_engagement_is_compared_by_what_is_kept() -> None:
    # the log measured .52 there, but too inexactly: what is kept comes from elsewhere
    curve = [CurvePoint(0.0, 0.80, 0.500, 1.0), CurvePoint(1.0, 0.95, 0.520, 0.9)]
    assert pick_point(curve, "max_relevance", 0.0, 0.02).point.w_relevance == 0.0
    assert pick_point(curve, "max_engagement", 0.8, 0.0).point.w_relevance == 0.0
