"""Picks by region from a swept curve."""

import numpy as np
import pandas as pd
import pytest

from model.evaluation.block_sums import ALL, BlockSums
from model.evaluation.bootstrap import BlockBootstrap, Estimate
from model.value.curve import RegionPickRule, SweptPoint, compute_curve, pick_all
from model.value.shares import EngagementShare

RULE = RegionPickRule("max_relevance", tau=0.9, engagement_loss=0.02, min_queries=10, k=10)


def _kept_share(engagement: float) -> EngagementShare:
    return EngagementShare(engagement / 0.5, 0.001, measured=True)


def _point(weight: float, relevance: float, engagement: float, queries: int = 100) -> SweptPoint:
    known = (Estimate(relevance, None, None), Estimate(engagement, None, None))
    return SweptPoint(weight, known[0], queries, known[1], queries, _kept_share(engagement))


def test_a_region_with_enough_queries_picks_for_itself() -> None:
    curves = {
        ALL: [_point(0.0, 0.8, 0.5), _point(1.0, 0.9, 0.495)],
        "us": [_point(0.0, 0.8, 0.5), _point(1.0, 0.9, 0.4)],
    }
    picks = pick_all(curves, RULE)
    assert (picks[ALL].w_relevance, picks["us"].w_relevance) == (1.0, 0.0)
    assert picks["us"].regional


def test_a_region_with_few_queries_takes_the_common_pick() -> None:
    curves = {
        ALL: [_point(0.0, 0.8, 0.5), _point(1.0, 0.9, 0.495)],
        "us": [_point(0.0, 0.8, 0.5, queries=9), _point(1.0, 0.9, 0.4, queries=9)],
    }
    us = pick_all(curves, RULE)["us"]
    assert (us.w_relevance, us.regional) == (1.0, False)
    assert "pick of all regions: 9 < 10" in us.words


def test_without_a_figure_nothing_is_picked() -> None:
    curves = {ALL: [SweptPoint(0.0, None, 0, Estimate(0.5, None, None), 20, _kept_share(0.5))]}
    pick = pick_all(curves, RULE)[ALL]
    assert pick.w_relevance is None
    assert "no validation query" in pick.words


def test_a_rule_out_of_reach_says_how_close_it_came() -> None:
    rule = RegionPickRule("max_engagement", 0.99, 0.0, 10, 10)
    pick = pick_all({ALL: [_point(0.0, 0.8, 0.5), _point(1.0, 0.9, 0.4)]}, rule)[ALL]
    assert (pick.w_relevance, pick.satisfied) == (1.0, False)
    assert "no weight reaches it, the closest is 0.9000" in pick.words


def test_curve_from_block_sums() -> None:
    rows = [
        (0, "us", "0", "relevance", 1.5, 2),
        (1, "us", "0", "relevance", 0.9, 1),
        (1, "uk", "0", "relevance", 0.2, 1),
        (1, "uk", "0", "engagement", 0.0, 0),
    ]
    frame = pd.DataFrame(rows, columns=["block", "region", "ranker", "metric", "total", "queries"])
    frame["denominator"] = frame["queries"]
    sums = BlockSums(frame.assign(lists=1, short=0, masked=2, no_positive=0), blocks=20)
    bootstrap = BlockBootstrap(20, 50, 0.95, 1)
    us = compute_curve(sums, "us", [(0.0, "0")], bootstrap, 0.01)[0]
    every = compute_curve(sums, ALL, [(0.0, "0")], bootstrap, 0.01)[0]
    assert us.relevance is not None and every.relevance is not None
    assert us.relevance.value == pytest.approx(0.8)
    assert every.relevance.value == pytest.approx(2.6 / 4)
    assert (us.relevance_queries, every.relevance_queries) == (3, 4)
    assert (us.engagement, every.engagement) == (None, None)
    cell = sums.get(ALL, "0", "relevance")
    assert cell is not None
    assert cell.lists == {"lists": 3, "short": 0, "masked": 6, "no_positive": 0}
    assert np.flatnonzero(cell.queries).tolist() == [0, 1]


@pytest.mark.parametrize(
    ("relevance", "engagement", "own"),
    [([10, 10], [10, 10], True), ([9, 10], [10, 10], False), ([10, 10], [10, 9], False)],
)
def test_every_figure_of_every_weight_needs_its_queries(
    relevance: list[int], engagement: list[int], own: bool
) -> None:
    known = [(0.0, 0.8, 0.5), (1.0, 0.9, 0.4)]
    us = [
        SweptPoint(w, Estimate(r, None, None), n, Estimate(e, None, None), m, _kept_share(e))
        for (w, r, e), n, m in zip(known, relevance, engagement, strict=True)
    ]
    curves = {ALL: [_point(0.0, 0.8, 0.5), _point(1.0, 0.9, 0.495)], "us": us}
    assert pick_all(curves, RULE)["us"].regional is own


def test_one_weight_without_a_figure_is_enough_to_pick_nothing() -> None:
    curve = [
        _point(0.0, 0.8, 0.5),
        SweptPoint(1.0, None, 0, Estimate(0.5, None, None), 20, _kept_share(0.5)),
    ]
    assert pick_all({ALL: curve}, RULE)[ALL].w_relevance is None


def test_a_region_that_takes_the_common_pick_takes_over_that_the_rule_is_not_met() -> None:
    rule = RegionPickRule("max_engagement", 0.99, 0.0, 10, 10)
    few = [_point(0.0, 0.8, 0.5, queries=3)]
    us = pick_all({ALL: [_point(0.0, 0.8, 0.5)], "us": few}, rule)["us"]
    assert (us.regional, us.satisfied) == (False, False)


def _sums(clicks: list[tuple[float, float]], expected: tuple[float, float]) -> BlockSums:
    """Cells of the weights 0 and 1: measured gains of each block, and expected ones of one."""
    rows = [
        (block, ranker, "engagement", total, 10.0)
        for block, pair in enumerate(clicks)
        for ranker, total in zip(("0", "1"), pair, strict=True)
    ]
    rows += [(0, r, "expected", total, 1.0) for r, total in zip("01", expected, strict=True)]
    rows += [(0, r, "relevance", total, 1.0) for r, total in (("0", 0.5), ("1", 0.9))]
    frame = pd.DataFrame(rows, columns=["block", "ranker", "metric", "total", "denominator"])
    frame = frame.assign(region="us", queries=1)
    return BlockSums(frame.assign(lists=1, short=0, masked=0, no_positive=0), blocks=20)


@pytest.mark.parametrize(
    ("clicks", "share", "measured", "picked"),
    [
        ([(5.0, 5.0)] * 10, 1.0, True, 1.0),
        ([(5.0, 4.5)] * 10, 0.9, True, 0.0),
        ([(5.0, 9.0), (5.0, 1.0)] * 5, 0.97, False, 0.0),  # level, give or take a quarter
    ],
)
def test_a_loss_that_the_log_says_inexactly_is_the_expected_one(
    clicks: list[tuple[float, float]], share: float, measured: bool, picked: float
) -> None:
    bootstrap = BlockBootstrap(20, 50, 0.95, 1)
    sums = _sums(clicks, expected=(1.0, 0.97))
    curve = compute_curve(sums, "us", [(0.0, "0"), (1.0, "1")], bootstrap, 0.01)
    kept = curve[1].engagement_share
    assert kept is not None and kept.share == pytest.approx(share) and kept.measured is measured
    assert pick_all({ALL: curve}, RULE)[ALL].w_relevance == picked


def _two_weights(expected: tuple[float, float]) -> list[SweptPoint]:
    sums = _sums([(5.0, 4.5)] * 10, expected)
    return compute_curve(
        sums, "us", [(0.0, "0"), (1.0, "1")], BlockBootstrap(20, 50, 0.95, 1), 0.01
    )


def test_engagement_is_over_its_denominators_and_not_over_the_queries() -> None:
    found = [point.engagement.value for point in _two_weights((1.0, 0.97)) if point.engagement]
    assert found == pytest.approx([0.5, 0.45])


def test_a_ranker_that_expects_no_engagement_says_nothing_of_a_loss() -> None:
    curve = _two_weights((0.0, 0.0))
    assert [point.engagement_share for point in curve] == [None, None]
    assert pick_all({ALL: curve}, RULE)[ALL].w_relevance is None
