"""One order of a list from saved predictions: the value model with a relevance weight."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from conf.sections.experiment import RankingConf
from conf.sections.value import EvaluationConf, ValueConf, Weights
from model.arrays import Floats, Mask
from model.experiments.judge import Judge
from model.experiments.predictions import FIRST, Predictions
from model.serving.calibrators import Calibrators
from model.spec import RELEVANCE, THRESHOLDS
from model.value.tradeoff import CurvePoint, pick_point
from model.value.weights import ValueWeights, compute_value

EVERY = 0
"""Key of the weight of all regions without one of their own: the id of the unknown region."""


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

    def score_rows(self, predictions: Predictions, calibrators: Calibrators) -> Floats:
        """Score every row at position 1 by its value, [N]; by relevance alone where conf says
        `only`."""
        p = compute_served_probabilities(predictions, calibrators, self.conf.calibrated)
        if self.conf.relevance == "only":
            return p[RELEVANCE]
        region = predictions.get_codes("region")
        weight = np.full(predictions.rows, self.w_relevance[EVERY])
        for id_, regional in self.w_relevance.items():
            if id_ != EVERY:
                weight[region == id_] = regional
        return compute_scores(p, self.weights, weight)


@dataclass(frozen=True)
class Ranking:
    """How an arm ranks: its conf, the value model's conf, and how orders are judged."""

    conf: RankingConf
    tree: ValueConf
    evaluation: EvaluationConf

    @property
    def picks(self) -> bool:
        """Whether the relevance weight is picked on validation."""
        return self.conf.relevance == "picked"

    @property
    def weights(self) -> Weights:
        """Engagement weights: the arm's own, or those of conf `value`."""
        return self.conf.weights or self.tree.weights

    def choose_order(self, validation: Predictions, calibrators: Calibrators) -> Order:
        """Choose the arm's order; a relevance weight is picked on validation lists only."""
        if not self.picks:
            fixed = 0.0 if isinstance(self.conf.relevance, str) else float(self.conf.relevance)
            return Order(self.conf, self.weights, {EVERY: fixed})
        picked = {EVERY: self._pick_weight(self.compute_curve(validation, calibrators))}
        region = validation.get_codes("region")
        for id_ in range(1, len(validation.spec.regions) + 1) if self.conf.by_region else ():
            rows = region == id_
            if (
                Judge.from_predictions(validation, self.weights, self.evaluation, rows).fewest
                >= self.tree.min_queries
            ):
                picked[id_] = self._pick_weight(self.compute_curve(validation, calibrators, rows))
        return Order(self.conf, self.weights, picked)

    def compute_curve(
        self, predictions: Predictions, calibrators: Calibrators, rows: Mask | None = None
    ) -> list[CurvePoint]:
        """Compute relevance and engagement in the currency under each weight of the sweep; rows
        [N]."""
        judge = Judge.from_predictions(predictions, self.weights, self.evaluation, rows)
        p = compute_served_probabilities(predictions, calibrators, self.conf.calibrated)
        one = np.ones(predictions.rows)
        swept = {w: compute_scores(p, self.weights, w * one) for w in self.tree.sweep}
        loss = self.conf.engagement_loss
        largest = self.tree.largest_error if loss is None else self.tree.noise * loss
        return judge.compute_curve(swept, largest)

    def _pick_weight(self, points: Sequence[CurvePoint]) -> float:
        conf, tree = self.conf, self.tree
        tau = tree.tau if conf.tau is None else conf.tau
        loss = tree.engagement_loss if conf.engagement_loss is None else conf.engagement_loss
        return pick_point(points, conf.rule or tree.rule, tau, loss).point.w_relevance


def compute_served_probabilities(
    predictions: Predictions, calibrators: Calibrators, calibrated: bool
) -> dict[str, Floats]:
    """Compute probabilities at position 1 by output name, [N], and the expected grade as
    `relevance`."""
    raw = {
        name: predictions.get_probability(name, FIRST).astype(np.float32)
        for name in predictions.spec.outputs
    }
    applied = calibrators.apply(raw, predictions.get_codes("region")) if calibrated else raw
    by_output = {name: np.asarray(p, np.float64) for name, p in applied.items()}
    if predictions.spec.relevance:
        by_output[RELEVANCE] = np.sum([by_output[f"p_{grade}"] for grade in THRESHOLDS], axis=0)
    return by_output


def compute_scores(p: Mapping[str, Floats], weights: Weights, w_relevance: Floats) -> Floats:
    """Compute sum_t w_t p_t + w_relevance * relevance / 2, [N]."""
    rows = np.tile(ValueWeights.from_conf(weights).as_tuple(), (len(w_relevance), 1))
    rows[:, 3] = w_relevance
    return np.asarray(compute_value(p, rows), np.float64)
