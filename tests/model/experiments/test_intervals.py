"""Two levels of draws, paired differences, and the words for them."""

import numpy as np
import pytest

from model.evaluation.bootstrap import BlockBootstrap, Estimate
from model.experiments.figures import Figure, UnitRows
from model.experiments.intervals import compare_arms, compute_detectable
from model.experiments.verdict import decide_verdict

UNITS = 200


def figures(values: list[np.ndarray]) -> list[Figure]:
    """One figure a seed: the mean of a value a unit."""
    return [UnitRows(np.arange(UNITS), UNITS, "all").build_mean("ndcg.x", v) for v in values]


def noise(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=UNITS)


def test_the_interval_of_one_seed_is_the_bootstrap_of_a_mean() -> None:
    values = noise(1)
    bootstrap = BlockBootstrap(UNITS, 4_000, 0.95, 17, 1)
    (one,) = compare_arms({"a": figures([values])}, {}, bootstrap)
    assert one.estimate.value == pytest.approx(values.mean())
    assert one.difference is None
    half = 1.96 * values.std() / np.sqrt(UNITS)
    assert one.estimate.high - one.estimate.low == pytest.approx(2 * half, rel=0.05)  # type: ignore[operator]


def test_seeds_widen_the_interval() -> None:
    values = noise(1)
    bootstrap = BlockBootstrap(UNITS, 4_000, 0.95, 17, 4)
    shifts = np.asarray([-0.5, 0.5, -0.5, 0.5])
    (one,) = compare_arms({"a": figures([values + s for s in shifts])}, {}, bootstrap)
    half = 1.96 * np.sqrt(values.var() / UNITS + shifts.var() / 4)
    assert one.estimate.high - one.estimate.low == pytest.approx(2 * half, rel=0.08)  # type: ignore[operator]


def test_a_difference_is_paired_by_unit_and_seed() -> None:
    by_seed = [noise(s) for s in (1, 2, 3)]
    better = [v + 0.01 for v in by_seed]
    bootstrap = BlockBootstrap(UNITS, 500, 0.95, 17, 3)
    found = {
        c.arm: c
        for c in compare_arms({"r": figures(by_seed), "a": figures(better)}, {"a": "r"}, bootstrap)
    }
    gap = found["a"].difference
    assert gap is not None
    assert (gap.value, gap.low, gap.high) == pytest.approx((0.01, 0.01, 0.01))
    assert found["a"].estimate.low < found["r"].estimate.value < found["a"].estimate.high  # type: ignore[operator]


def test_the_smallest_detectable_difference_is_seen_in_eight_of_ten_runs() -> None:
    error, draws = 0.3, np.random.default_rng(5).normal(size=20_000)
    true = compute_detectable(error, 0.95)
    assert true == pytest.approx((1.959964 + 0.841621) * error)
    seen = true + error * draws > 1.959964 * error
    assert seen.mean() == pytest.approx(0.8, abs=0.01)
    assert compute_detectable(error, 0.95, 4) > 1.3 * true


def test_a_comparison_tells_what_it_could_have_seen() -> None:
    other = noise(2)
    bootstrap = BlockBootstrap(UNITS, 4_000, 0.95, 17, 1)
    arms = {"r": figures([noise(1)]), "a": figures([noise(1) + other])}
    found = {c.arm: c for c in compare_arms(arms, {"a": "r"}, bootstrap)}
    error = other.std() / np.sqrt(UNITS)
    assert found["a"].detectable == pytest.approx(2.8016 * error, rel=0.04)
    assert (found["a"].reference, found["r"].detectable) == ("r", None)


def test_without_the_reference_there_are_no_differences() -> None:
    bootstrap = BlockBootstrap(UNITS, 50, 0.95, 17, 1)
    (one,) = compare_arms({"a": figures([noise(1)])}, {"a": "gone"}, bootstrap)
    assert one.difference is None


@pytest.mark.parametrize(
    ("metric", "low", "high", "expected"),
    [
        ("auc.click", 0.01, 0.03, "better"),
        ("auc.click", -0.03, -0.01, "worse"),
        ("auc.click", -0.01, 0.01, "no difference seen"),
        ("log_loss.click", -0.03, -0.01, "better"),
        ("violations.share", 0.01, 0.03, "worse"),
        ("value.w_relevance", 0.01, 0.03, "cannot tell"),
        ("auc.click", None, None, "cannot tell"),
    ],
)
def test_verdicts(metric: str, low: float | None, high: float | None, expected: str) -> None:
    assert decide_verdict(metric, Estimate(0.02, low, high)) == expected
