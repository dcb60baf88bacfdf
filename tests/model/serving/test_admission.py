"""The gate of the ranker on hand-written figures."""

from dataclasses import replace

import pytest

from conf.sections.admission import AdmissionConf
from model.evaluation.bootstrap import Estimate
from model.serving.admission import (
    BaselineFigure,
    CalibrationFigure,
    GateEvidence,
    RankingFigure,
    judge_candidate,
)

CONF = AdmissionConf()
RANKING = RankingFigure("relevance", "all", 100, 0.8, 0.3)
CALIBRATION = CalibrationFigure("click", "all", 100, Estimate(0.01, 0.005, 0.02))
GOOD = GateEvidence((RANKING,), (CALIBRATION,), {"p_cart > p_click": 0.0}, 1_000, 100)


def reasons(evidence: GateEvidence) -> list[str]:
    return judge_candidate(evidence, CONF, min_queries=50).reasons


def with_ranking(**changed: object) -> GateEvidence:
    return replace(GOOD, rankings=(replace(RANKING, **changed),))


def with_gain(value: float, low: float, high: float, region: str = "all") -> GateEvidence:
    return with_ranking(gain=Estimate(value, low, high), region=region)


def with_calibration(**changed: object) -> GateEvidence:
    return replace(GOOD, calibration=(replace(CALIBRATION, **changed),))


def test_the_first_model_needs_no_other() -> None:
    verdict = judge_candidate(GOOD, CONF, min_queries=50)
    assert verdict.admitted and verdict.unjudged == []


@pytest.mark.parametrize(
    "gain",
    [
        with_gain(0.05, 0.01, 0.09),
        with_gain(-0.05, -0.11, 0.01),  # large, and it may be noise
        with_gain(-0.009, -0.012, -0.006),  # certain, and too small to matter
        with_gain(-0.02, -0.03, -0.01, region="us"),  # a region may lose more
        with_ranking(gain=Estimate(-0.2, None, None)),  # no interval
        with_ranking(gain=Estimate(-0.2, -0.3, -0.1), queries=49),
    ],
)
def test_what_is_better_or_cannot_be_told_is_admitted(gain: GateEvidence) -> None:
    assert reasons(gain) == []


def test_a_clear_loss_is_refused_with_figures() -> None:
    assert reasons(with_gain(-0.05, -0.08, -0.02)) == [
        "relevance, all, 100 queries: -0.0500 [-0.0800, -0.0200] against the model in force, "
        "allowed -0.01"
    ]
    assert "us, 100 queries: -0.0500" in reasons(with_gain(-0.05, -0.08, -0.02, "us"))[0]


def test_an_order_by_chance_is_refused() -> None:
    assert "no better than a random order (-0.0100)" in reasons(with_ranking(over_random=-0.01))[0]


def test_probabilities_that_are_off_are_refused() -> None:
    assert reasons(with_calibration(error=Estimate(0.06, 0.04, 0.08))) == []
    assert "clearly above 0.05" in reasons(with_calibration(error=Estimate(0.2, 0.1, 0.3)))[0]
    worse = with_calibration(loss=Estimate(0.03, 0.01, 0.05))
    assert "error +0.0300 [+0.0100, +0.0500]" in reasons(worse)[0]
    assert reasons(with_calibration(loss=Estimate(0.03, -0.01, 0.07))) == []


def test_a_cart_that_is_likelier_than_a_click_is_refused() -> None:
    wrong = replace(GOOD, disorder={"p_cart > p_click": 0.02})
    assert reasons(wrong) == ["p_cart > p_click in 2.00% of 1,000 rows, allowed 1.00%"]


BASELINE = BaselineFigure("engagement_only", "lightgbm", "engagement", 100, Estimate(0, 0, 0))
LOST = Estimate(-0.05, -0.08, -0.02)


def with_baseline(gap: Estimate, in_force: Estimate | None, queries: int = 100) -> GateEvidence:
    figure = replace(BASELINE, gap=gap, gap_in_force=in_force, queries=queries)
    return replace(GOOD, baselines=(figure,))


def test_a_clear_loss_to_a_baseline_refuses_where_something_better_serves() -> None:
    line = (
        "engagement_only: -0.0500 [-0.0800, -0.0200] against the baseline lightgbm on engagement, "
        "100 queries, allowed -0.01"
    )
    better, level = Estimate(-0.02, -0.03, -0.01), Estimate(-0.041, -0.06, 0.01)
    worse = Estimate(-0.09, -0.2, 0.02)
    for in_force, refused in (
        (Estimate(0.01, -0.01, 0.03), True),
        (better, True),  # it loses, too, and less
        (level, False),
        (LOST, False),
        (worse, False),
        (None, False),
    ):
        verdict = judge_candidate(with_baseline(LOST, in_force), CONF, min_queries=50)
        assert verdict.admitted is not refused
        assert (verdict.reasons, verdict.warnings) == (([line], []) if refused else ([], [line]))


@pytest.mark.parametrize(
    ("gap", "queries"),
    [
        (Estimate(-0.05, -0.11, 0.01), 100),
        (Estimate(-0.009, -0.012, -0.006), 100),
        (Estimate(-1, None, None), 100),
        (LOST, 49),
    ],
)
def test_a_loss_that_may_be_noise_or_is_small_says_nothing(gap: Estimate, queries: int) -> None:
    evidence = with_baseline(gap, BASELINE.gap, queries)
    verdict = judge_candidate(evidence, CONF, min_queries=50)
    assert (verdict.reasons, verdict.warnings) == ([], [])


def test_few_queries_are_said_and_refuse_nothing() -> None:
    few = GateEvidence(
        (replace(RANKING, queries=3, over_random=-1.0),),
        (replace(CALIBRATION, queries=3, error=Estimate(0.9, 0.8, 1.0)),),
        {"p_cart > p_click": 0.5},
        9,
        3,
        (replace(BASELINE, queries=3, gap=LOST),),
    )
    verdict = judge_candidate(few, CONF, min_queries=50)
    assert verdict.admitted
    assert verdict.unjudged == [
        "fewer than 50 validation queries: relevance, click calibration, engagement_only beside "
        "lightgbm, order of the funnel"
    ]
