"""The two kinds of lists of a split that an order is judged by, and the rows of each."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from conf.sections.value import Weights
from model.experiments.lists import RankedLists
from model.experiments.predictions import GRADE, ITEM, JUDGED, LIST, PAGE, Predictions
from model.metrics import exponential_gain
from model.spec import GRADES, RELEVANCE
from model.tradeoff import CurvePoint
from model.value import PROBABILITIES

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Judge:
    """Graded items of a query, and pages as shown.

    Attributes:
        graded, shown: [N] rows of the two kinds.
        relevance, engagement: their lists with gains, over the rows of their kind.
    """

    graded: Mask
    shown: Mask
    relevance: RankedLists
    engagement: RankedLists

    @classmethod
    def of(
        cls, predictions: Predictions, weights: Weights, k: int, rows: Mask | None = None
    ) -> "Judge":
        """Lists among the rows [N] (all by default).

        Gains are 2^grade - 1 of graded items and sum_t w_t y_t of shown ones.
        """
        graded, shown = judged_rows(predictions), shown_rows(predictions)
        if rows is not None:
            graded, shown = graded & rows, shown & rows
        relevance = exponential_gain(grades(predictions)[graded])
        engagement = engagement_gains(predictions, weights)[shown]
        return cls(
            graded,
            shown,
            RankedLists.of(predictions.codes(LIST)[graded], relevance, k),
            RankedLists.of(predictions.codes(PAGE)[shown], engagement, k),
        )

    @property
    def fewest(self) -> int:
        """Lists that say something, of the kind that has fewer (count)."""
        return int(min(self.relevance.told.sum(), self.engagement.told.sum()))

    def point(self, w_relevance: float, scores: Floats) -> CurvePoint:
        """Mean NDCG of both kinds of lists under the scores [N]; 0 where no list says anything."""
        relevance = _mean(self.relevance.ndcg(scores[self.graded]))
        return CurvePoint(w_relevance, relevance, _mean(self.engagement.ndcg(scores[self.shown])))


def judged_rows(predictions: Predictions) -> Mask:
    """[N] rows whose grade counts: marked as judged, else every one with a relevance label.

    Of several rows of one item in a list the first counts.
    """
    if not predictions.spec.relevance:
        return np.zeros(predictions.rows, bool)
    name = JUDGED if JUDGED in predictions.columns else f"mask_{RELEVANCE}"
    judged = predictions.columns[name] > 0
    if ITEM in predictions.columns:
        pair = np.stack([predictions.codes(LIST), predictions.codes(ITEM)], axis=1)[judged]
        _, first = np.unique(pair, axis=0, return_index=True)
        judged[np.delete(np.flatnonzero(judged), first)] = False
    return np.asarray(judged)


def shown_rows(predictions: Predictions) -> Mask:
    """[N] rows of a page whose labels are known for every task."""
    masks = [predictions.columns[f"mask_{task}"] > 0 for task in predictions.spec.tasks]
    return np.asarray(np.logical_and.reduce(masks))


def grades(predictions: Predictions) -> Floats:
    """[N] grade: of the snapshot's column, else the label's expected grade."""
    if GRADE in predictions.columns:
        return predictions.columns[GRADE]
    first, second = (predictions.columns[f"label_{grade}"] for grade in GRADES)
    return first + second


def engagement_gains(predictions: Predictions, weights: Weights) -> Floats:
    """[N] sum_t w_t y_t of click, cart and purchase."""
    names = [name.removeprefix("p_") for name in PROBABILITIES]
    click, cart, purchase = (predictions.columns[f"label_{name}"] for name in names)
    gains = weights.click * click + weights.cart * cart + weights.purchase * purchase
    return np.asarray(gains, np.float64)


def _mean(values: Floats) -> float:
    told = values[np.isfinite(values)]
    return float(told.mean()) if len(told) else 0.0
