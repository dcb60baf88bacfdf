"""Which yardsticks of engagement have no bias, against all that a small logger can show."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import permutations

import numpy as np
import pytest
from numpy.typing import NDArray

from model.evaluation.engagement import (
    Shown,
    measure_debiased,
    measure_doubly_robust,
    measure_logged,
    measure_off_policy,
)
from model.evaluation.measured import Measured

Floats = NDArray[np.float64]
Yardstick = Callable[[Shown, Floats], Measured]


@dataclass(frozen=True)
class Logger:
    """One query, a pool of items, pages of its first `page` items; it explores now and then.

    It puts items in the order of their index, which is the reverse of their attraction.
    """

    attraction: Floats
    examination: Floats
    explores: float

    def log(self, rng: np.random.Generator, count: int) -> Shown:
        """Clicks of `count` pages."""
        pool, size = len(self.attraction), len(self.examination)
        explored = np.argsort(rng.random((count, pool)), axis=1)
        explores = rng.random((count, 1)) < self.explores
        items = np.where(explores, explored, np.arange(pool))[:, :size]
        return self.shown(items, lambda p: (rng.random(p.shape) < p).astype(float))

    def shown(self, items: NDArray[np.int64], outcome: Callable[[Floats], Floats]) -> Shown:
        count, size = items.shape
        position = np.tile(np.arange(1, size + 1), count)
        item = items.ravel()
        greedy = (1 - self.explores) * (item == position - 1)
        return Shown(
            page=np.repeat(np.arange(count), size),
            query=np.zeros(len(item), np.int64),
            pair=item,
            position=position,
            gains=outcome(self.attraction[item] * self.examination[position - 1]),
            propensity=self.explores / len(self.attraction) + greedy,
            k=10,
        )

    def all_pages(self) -> tuple[NDArray[np.int64], Floats]:
        """Every page [P, size] with its probability [P]."""
        pool, size = len(self.attraction), len(self.examination)
        found = np.asarray(list(permutations(range(pool), size)))
        chance = np.full(len(found), self.explores / len(found))
        chance[0] += 1 - self.explores  # the first one is the logger's own order
        return found, chance


EXAMINATION = np.asarray([1.0, 0.5, 0.1])
LOGGER = Logger(np.asarray([0.1, 0.2, 0.4, 0.8]), EXAMINATION, 0.3)
ALIKE = Logger(np.asarray([0.3, 0.4, 0.5, 0.6]), EXAMINATION, 0.3)
BEST = LOGGER.attraction
OWN = -np.arange(4.0)


def expected(score: Floats, logger: Logger = LOGGER) -> tuple[float, float]:
    """What off_policy and doubly_robust estimate, from all pages and no clicks."""
    items, chance = logger.all_pages()
    shown = logger.shown(items, lambda p: p)
    weight = np.repeat(chance, items.shape[1])
    disc = shown.pages.compute_discounts(score[shown.pair])
    random = weight * shown.gains / shown.propensity
    as_logged = weight * logger.attraction[shown.pair]
    return float(np.sum(random * disc) / random.sum()), float(
        np.sum(as_logged * disc) / as_logged.sum()
    )


def over_logs(measure: Yardstick, score: Floats, logger: Logger = LOGGER) -> float:
    """Ratio of the mean sums over many logs of 20 pages: no bias of a ratio of small sums."""
    rng = np.random.default_rng(17)
    sums = np.zeros(2)
    for _ in range(300):
        shown = logger.log(rng, 20)
        found = measure(shown, score[shown.pair])
        sums += found.numerator.sum(), found.denominator.sum()
    return float(sums[0] / sums[1])


@pytest.mark.parametrize("score", [BEST, OWN])
def test_off_policy_has_no_bias(score: Floats) -> None:
    truth, _ = expected(score)
    assert over_logs(lambda s, x: measure_off_policy(s, x, 100.0), score) == pytest.approx(
        truth, abs=0.01
    )


def test_the_logged_pages_prefer_the_loggers_own_order() -> None:
    def gap(measure: Yardstick) -> float:
        return over_logs(measure, BEST, ALIKE) - over_logs(measure, OWN, ALIKE)

    truth = expected(BEST, ALIKE)[0] - expected(OWN, ALIKE)[0]
    assert truth > 0.05
    assert gap(measure_logged) < -0.05
    assert gap(lambda s, x: measure_off_policy(s, x, 100.0)) == pytest.approx(truth, abs=0.02)


@pytest.mark.parametrize("score", [BEST, OWN])
@pytest.mark.parametrize("model", [0.0, 0.5])
def test_doubly_robust_needs_no_right_model(score: Floats, model: float) -> None:
    def measure(shown: Shown, scores: Floats) -> Measured:
        wrong = np.full(len(scores), model)
        return measure_doubly_robust(shown, scores, np.asarray([1.0, 0.9, 0.8]), wrong, 100.0)

    assert over_logs(measure, score) == pytest.approx(expected(score)[1], abs=0.015)


@pytest.mark.parametrize("score", [BEST, OWN])
def test_doubly_robust_needs_no_right_propensities(score: Floats) -> None:
    def measure(shown: Shown, scores: Floats) -> Measured:
        wrong = replace(shown, propensity=np.full(len(scores), 0.5))
        right = LOGGER.attraction[shown.pair]
        return measure_doubly_robust(wrong, scores, LOGGER.examination, right, 100.0)

    assert over_logs(measure, score) == pytest.approx(expected(score)[1], abs=0.015)


@pytest.mark.parametrize("score", [BEST, OWN])
def test_debiased_needs_the_right_examination(score: Floats) -> None:
    found = over_logs(lambda s, x: measure_debiased(s, x, LOGGER.examination, 0.01), score)
    assert found == pytest.approx(expected(score)[1], abs=0.01)
