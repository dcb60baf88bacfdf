"""What an order is judged by on a split: result pages, and lists of graded items."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from conf.sections.value import EvaluationConf, Weights
from model.arrays import Floats, Mask
from model.evaluation.currency import Currency, choose_currency
from model.evaluation.engagement import (
    Shown,
    measure_debiased,
    measure_doubly_robust,
    measure_logged,
    measure_off_policy,
    measure_true,
)
from model.evaluation.examination import estimate_examination
from model.evaluation.lists import RankedLists
from model.evaluation.measured import Measured, measure_ndcg
from model.evaluation.metrics import compute_exponential_gains
from model.experiments.predictions import LIST, PAGE, PROPENSITY, TRUTH, UNIT, Predictions
from model.experiments.rows import (
    TASKS,
    compute_engagement_gains,
    compute_grades,
    mark_judged,
    mark_shown,
    number_pairs,
    sum_weighted,
)
from model.feed.base import POSITION
from model.value.shares import choose_shares
from model.value.tradeoff import CurvePoint


@dataclass(frozen=True)
class Judge:
    """Graded items of a query, and pages as shown, among some rows.

    Attributes:
        predictions: the split.
        weights: engagement weights; gains are sum_t w_t y_t.
        conf: cut-off k, currency, and the bounds of the yardsticks.
        graded, shown: [N] rows of the two kinds.
    """

    predictions: Predictions
    weights: Weights
    conf: EvaluationConf
    graded: Mask
    shown: Mask

    @classmethod
    def from_predictions(
        cls,
        predictions: Predictions,
        weights: Weights,
        conf: EvaluationConf,
        rows: Mask | None = None,
    ) -> "Judge":
        """Judge by the lists among the rows [N] (all by default)."""
        graded, shown = mark_judged(predictions), mark_shown(predictions)
        if rows is not None:
            graded, shown = graded & rows, shown & rows
        return cls(predictions, weights, conf, graded, shown)

    @cached_property
    def relevance(self) -> RankedLists:
        """The graded rows by query, gains 2^grade - 1."""
        gains = compute_exponential_gains(compute_grades(self.predictions)[self.graded])
        return RankedLists.from_codes(
            self.predictions.get_codes(LIST)[self.graded], gains, self.conf.k
        )

    @cached_property
    def pages(self) -> Shown:
        """The shown rows."""
        of = self.predictions
        listed = of.get_codes(LIST)[self.shown]
        return Shown(
            page=of.get_codes(PAGE)[self.shown],
            query=listed,
            pair=number_pairs(of)[self.shown],
            position=of.get_codes(POSITION)[self.shown],
            gains=compute_engagement_gains(of, self.weights)[self.shown],
            propensity=of.columns.get(PROPENSITY, np.full(of.rows, -1.0))[self.shown],
            k=self.conf.k,
        )

    @cached_property
    def examination(self) -> Floats:
        """[K] relative examination of the positions: conf's, else from the split's own log."""
        if self.conf.examination is not None:
            return np.asarray(self.conf.examination)
        clicks = self.predictions.columns["label_click"][self.shown]
        return estimate_examination(
            self.pages.position,
            clicks,
            self.pages.pair,
            self.conf.max_position,
            self.conf.min_examination,
        )

    @cached_property
    def currency(self) -> Currency:
        """The yardstick that picks; the same for every order of these rows."""
        estimate = measure_off_policy(
            self.pages, np.zeros(len(self.pages.page)), self.conf.max_weight
        )
        return choose_currency(self.conf.currency, estimate.effective, self.conf.min_effective)

    @cached_property
    def truth(self) -> Floats | None:
        """[N] planted gains sum_t w_t P_t of the shown rows, where every one has them."""
        names = [f"{TRUTH}{task}" for task in TASKS]
        if any(name not in self.predictions.columns for name in names):
            return None
        planted = np.stack([self.predictions.columns[name][self.shown] for name in names])
        return sum_weighted(planted, self.weights) if (planted >= 0).all() else None

    @property
    def fewest(self) -> int:
        """Lists that say something, of the kind that has fewer (count)."""
        return int(min(self.relevance.informative.sum(), self.pages.pages.informative.sum()))

    def measure_engagement(self, yardstick: str, scores: Floats) -> Measured:
        """Measure the shown rows by a yardstick, under the scores [N] of all rows.

        The reward model of the yardstick `doubly_robust` is the mean gain of a row by examination:
        one for all orders, and wrong by as much as items differ, which the log then tells.
        """
        ranked, e = scores[self.shown], self.conf
        if yardstick == "logged":
            return measure_logged(self.pages, ranked)
        if yardstick == "debiased":
            return measure_debiased(self.pages, ranked, self.examination, e.min_examination)
        if yardstick == "off_policy":
            return measure_off_policy(self.pages, ranked, e.max_weight)
        if yardstick == "doubly_robust":
            curve = self.examination
            looked = curve[np.minimum(self.pages.position, len(curve)) - 1].sum()
            reward = np.full(len(ranked), self.pages.gains.sum() / max(looked, 1e-12))
            return measure_doubly_robust(self.pages, ranked, curve, reward, e.max_weight)
        if yardstick == "true" and self.truth is not None:
            return measure_true(self.pages, ranked, self.truth)
        raise ValueError(f"yardstick {yardstick}: not one of {', '.join(self.yardsticks)}")

    @cached_property
    def yardsticks(self) -> tuple[str, ...]:
        """Those that the rows allow."""
        names = ["logged", "debiased"]
        if self.pages.randomised.any():
            names += ["off_policy", "doubly_robust"]
        return tuple(names if self.truth is None else [*names, "true"])

    def compute_curve(
        self, scores: Mapping[float, Floats], largest_error: float
    ) -> list[CurvePoint]:
        """Compute relevance and engagement under each weight; 0 where no list tells.

        Args:
            scores: [N] by relevance weight, the smallest first: what is kept is taken against it,
                and what the ranker expects are its values of the shown rows.
            largest_error: see `model.value.shares`.
        """
        smallest = next(iter(scores.values()))
        lists = RankedLists.from_codes(self.pages.page, smallest[self.shown], self.conf.k)
        expected_ndcg = {
            w: _read_value(measure_ndcg(lists, ranked[self.shown], self.pages.query))
            for w, ranked in scores.items()
        }
        unweighted = next(iter(expected_ndcg.values()))
        expected = [ndcg / unweighted if unweighted > 0 else 1.0 for ndcg in expected_ndcg.values()]
        measured = [self.measure_engagement(self.currency, ranked) for ranked in scores.values()]
        shares = choose_shares(
            [self._sum_by_unit(one) for one in measured], expected, largest_error
        )
        return [
            CurvePoint(
                weight,
                relevance=_read_value(measure_ndcg(self.relevance, ranked[self.graded])),
                engagement=_read_value(one),
                engagement_share=share.share,
            )
            for (weight, ranked), one, share in zip(scores.items(), measured, shares, strict=True)
        ]

    def _sum_by_unit(self, measured: Measured) -> Floats:
        """Sum the numerators by unit of the bootstrap, [U]."""
        unit = self.predictions.get_codes(UNIT)[self.shown]
        return np.asarray(np.bincount(unit, measured.numerator), np.float64)


def _read_value(measured: Measured) -> float:
    """Read the figure; 0 where no list says something."""
    return measured.value if np.isfinite(measured.value) else 0.0
