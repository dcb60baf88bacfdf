"""One order of a list from saved predictions: the value model with a relevance weight."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from conf.sections.experiment import RankingConf
from conf.sections.value import EvaluationConf, ValueConf, Weights
from model.experiments.judge import Judge
from model.experiments.predictions import FIRST, Predictions
from model.serving.calibrators import Calibrators
from model.spec import GRADES, RELEVANCE
from model.value.tradeoff import CurvePoint, pick
from model.value.weights import ValueWeights, value

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
EVERY = 0


@dataclass(frozen=True)
class Order:
    """Scores rows by the value model.

    Attributes:
        conf: what the arm asks for.
        weights: engagement weights.
        w_relevance: by region id; EVERY (0) stands for a region that has none of its own.
    """

    conf: RankingConf
    weights: Weights
    w_relevance: Mapping[int, float]

    def scores(self, predictions: Predictions, calibrators: Calibrators) -> Floats:
        """[N] value of every row at position 1; relevance alone where conf says `only`."""
        p = probabilities(predictions, calibrators, self.conf.calibrated)
        if self.conf.relevance == "only":
            return p[RELEVANCE]
        region = predictions.codes("region")
        weight = np.full(predictions.rows, self.w_relevance[EVERY])
        for id_, own in self.w_relevance.items():
            if id_ != EVERY:
                weight[region == id_] = own
        return scores(p, self.weights, weight)


@dataclass(frozen=True)
class Ranking:
    """How an arm ranks: its conf, the value model's conf, and how orders are judged."""

    conf: RankingConf
    tree: ValueConf
    evaluation: EvaluationConf

    @property
    def weights(self) -> Weights:
        """Engagement weights: the arm's own, or those of conf `value`."""
        return self.conf.weights or self.tree.weights

    def order(self, validation: Predictions, calibrators: Calibrators) -> Order:
        """The arm's order; a relevance weight is picked on validation lists only."""
        if self.conf.relevance != "picked":
            fixed = 0.0 if isinstance(self.conf.relevance, str) else float(self.conf.relevance)
            return Order(self.conf, self.weights, {EVERY: fixed})
        picked = {EVERY: self._picked(self.curve(validation, calibrators))}
        region = validation.codes("region")
        for id_ in range(1, len(validation.spec.regions) + 1) if self.conf.by_region else ():
            rows = region == id_
            if (
                Judge.of(validation, self.weights, self.evaluation, rows).fewest
                >= self.tree.min_queries
            ):
                picked[id_] = self._picked(self.curve(validation, calibrators, rows))
        return Order(self.conf, self.weights, picked)

    def curve(
        self, predictions: Predictions, calibrators: Calibrators, rows: Mask | None = None
    ) -> list[CurvePoint]:
        """Relevance and engagement in the currency under each weight of the sweep; rows [N]."""
        judge = Judge.of(predictions, self.weights, self.evaluation, rows)
        p = probabilities(predictions, calibrators, self.conf.calibrated)
        one = np.ones(predictions.rows)
        swept = {w: scores(p, self.weights, w * one) for w in self.tree.sweep}
        loss = self.conf.engagement_loss
        largest = self.tree.largest_error if loss is None else self.tree.noise * loss
        return judge.curve(swept, largest)

    def _picked(self, points: Sequence[CurvePoint]) -> float:
        conf, tree = self.conf, self.tree
        tau = tree.tau if conf.tau is None else conf.tau
        loss = tree.engagement_loss if conf.engagement_loss is None else conf.engagement_loss
        return pick(points, conf.rule or tree.rule, tau, loss).point.w_relevance


def probabilities(
    predictions: Predictions, calibrators: Calibrators, calibrated: bool
) -> dict[str, Floats]:
    """[N] probabilities at position 1 by output name, and the expected grade as `relevance`."""
    raw = {name: predictions.p(name, FIRST).astype(np.float32) for name in predictions.spec.outputs}
    kept = calibrators.apply(raw, predictions.codes("region")) if calibrated else raw
    found = {name: np.asarray(p, np.float64) for name, p in kept.items()}
    if predictions.spec.relevance:
        found[RELEVANCE] = np.sum([found[f"p_{grade}"] for grade in GRADES], axis=0)
    return found


def scores(p: Mapping[str, Floats], weights: Weights, w_relevance: Floats) -> Floats:
    """[N] sum_t w_t p_t + w_relevance * relevance / 2."""
    rows = np.tile(ValueWeights.of(weights).as_tuple(), (len(w_relevance), 1))
    rows[:, 3] = w_relevance
    return np.asarray(value(p, rows), np.float64)
