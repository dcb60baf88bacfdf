"""Intervals from block sums."""

import numpy as np
import pytest

from model.evaluation.bootstrap import BlockBootstrap, Estimate
from model.evaluation.metrics import divide_sums


def _bootstrap(replicates: int = 800) -> BlockBootstrap:
    return BlockBootstrap(blocks=200, replicates=replicates, confidence=0.95, seed=5)


def _sums(values: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    at = np.random.default_rng(seed).integers(0, 200, len(values))
    return np.bincount(at, values, 200), np.bincount(at, minlength=200)


def test_width_is_that_of_the_standard_error_over_queries() -> None:
    values = np.random.default_rng(1).normal(0.5, 0.2, 5_000)
    e = _bootstrap().estimate_mean(*_sums(values, 2))
    assert e.low is not None and e.high is not None
    assert e.value == pytest.approx(values.mean())
    assert (e.high - e.low) / (2 * 1.96 * 0.2 / np.sqrt(5_000)) == pytest.approx(1, abs=0.2)


def test_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    bootstrap, covered = _bootstrap(300), 0
    for trial in range(200):
        values = np.random.default_rng(trial).exponential(1.0, 400)
        e = bootstrap.estimate_mean(*_sums(values, trial + 1_000))
        assert e.low is not None and e.high is not None
        covered += e.low <= 1.0 <= e.high
    assert 0.88 <= covered / 200 <= 0.99


def test_paired_difference_is_narrower_than_the_spread_of_queries() -> None:
    rng = np.random.default_rng(1)
    base = rng.normal(0.5, 0.2, 2_000)
    better = base + rng.normal(0.02, 0.01, 2_000)
    (a, n), (b, _) = _sums(better, 3), _sums(base, 3)
    e = _bootstrap().estimate_difference(a, b, n)
    assert e.low is not None and e.high is not None
    assert 0.018 < e.low < e.value < e.high < 0.022


def test_one_block_has_no_interval() -> None:
    totals, counts = np.zeros(200), np.zeros(200)
    totals[7], counts[7] = 3.0, 4.0
    assert _bootstrap().estimate_mean(totals, counts) == Estimate(0.75, None, None)


def test_same_seed_same_interval() -> None:
    sums = _sums(np.arange(100.0), 1)
    assert _bootstrap().estimate_mean(*sums) == _bootstrap().estimate_mean(*sums)


def test_centred_interval_holds_a_figure_that_noise_pushes_up() -> None:
    rng = np.random.default_rng(2)
    noise, counts = rng.normal(0, 1, (200, 30)), np.ones((200, 30))

    def absolute(t: np.ndarray, n: np.ndarray) -> np.ndarray:
        return np.asarray(np.abs(divide_sums(t, n)).sum(axis=-1))

    plain = _bootstrap().estimate(absolute, counts.sum(1), noise, counts)
    centred = _bootstrap().estimate(absolute, counts.sum(1), noise, counts, centred=True)
    assert plain.low is not None and centred.low is not None and centred.high is not None
    assert plain.low > plain.value
    assert centred.low < centred.value < centred.high


def test_ends_are_the_quantiles_of_the_replicates() -> None:
    bootstrap = _bootstrap()
    totals, counts = _sums(np.random.default_rng(1).normal(0.5, 0.2, 500), 2)
    drawn = (bootstrap.draws @ totals) / (bootstrap.draws @ counts)
    e = bootstrap.estimate_mean(totals, counts)
    assert (e.low, e.high) == pytest.approx(tuple(np.quantile(drawn, [0.025, 0.975])))


def test_a_centred_interval_is_moved_whole_and_cut_off_at_0() -> None:
    bootstrap = BlockBootstrap(blocks=2, replicates=4, confidence=0.9999, seed=1)

    def statistic(total: np.ndarray) -> np.ndarray:
        """The value is 1; the replicates are 3 and 5 as often, 3 above it in the mean."""
        return np.asarray(1.0) if np.ndim(total) == 0 else np.array([3.0, 5.0, 3.0, 5.0])

    plain = bootstrap.estimate(statistic, np.ones(2), np.ones(2))
    assert (plain.low, plain.high) == pytest.approx((3.0, 5.0), abs=1e-3)
    centred = bootstrap.estimate(statistic, np.ones(2), np.ones(2), centred=True)
    assert centred.low == pytest.approx(0.0, abs=1e-3)
    assert centred.high == pytest.approx(2.0, abs=1e-3)


def test_a_sum_of_absolute_errors_is_never_below_0() -> None:
    bootstrap = BlockBootstrap(blocks=2, replicates=4, confidence=0.9999, seed=1)
    found = bootstrap.estimate(
        lambda t: np.asarray(1.0) if np.ndim(t) == 0 else np.array([3.0, 9.0, 3.0, 9.0]),
        np.ones(2),
        np.ones(2),
        centred=True,
    )
    assert found.low == 0.0 and found.high == pytest.approx(4.0, abs=1e-3)


def test_replicates_without_a_row_are_left_out() -> None:
    totals, counts = np.zeros(200), np.zeros(200)
    totals[[3, 7]], counts[[3, 7]] = (1.0, 3.0), 1.0
    assert _bootstrap().estimate_mean(totals, counts) == Estimate(2.0, 1.0, 3.0)
