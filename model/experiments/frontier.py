"""Relevance at one and the same engagement: how arms compare whose picked weights differ.

Arms that pick their own relevance weights give up different amounts of engagement for relevance,
and then their relevance alone does not compare. Here two trainings are held to the same engagement
on the judged split itself: a share of the best that the weaker of the two reaches. That is a
yardstick of what they can do, with the weight chosen on the split that judges; no weight is picked
by it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from model.experiments.evaluation import Evaluation
from model.experiments.figures import Figure
from model.experiments.judge import Judge
from model.experiments.ranking import EVERY, Order

EQUAL = "equal_engagement."
"""What stands in the place of `value.` in the name of a difference at equal engagement."""
_KEPT = ("value.relevance_judged@", "value.relevance_pooled@", "value.engagement")
_HALVINGS = 5
"""Halvings of the step of the sweep in which the bound is crossed (count): to a thirtieth of it,
less than the noise of any figure here."""


@dataclass(frozen=True)
class Frontier:
    """The orders of a training under every relevance weight, on the split that is judged.

    Attributes:
        order: of the arm; its own weight does not matter.
        sweep: weights that are tried, rising.
    """

    evaluation: Evaluation
    order: Order
    sweep: Sequence[float]

    @cached_property
    def judge(self) -> Judge:
        """What measures engagement."""
        e = self.evaluation
        return Judge.from_predictions(e.predictions, self.order.weights, e.conf)

    @cached_property
    def swept(self) -> dict[float, float]:
        """Engagement by weight of the sweep: by the planted truth, else in the currency."""
        return {w: self._measure(w) for w in self.sweep}

    def find_best(self) -> float:
        """Find the most engagement of any weight of the sweep."""
        return max(self.swept.values())

    def find_weight(self, least: float) -> float:
        """Find the largest weight that leaves engagement `least`.

        Raises:
            ValueError: no weight of the sweep leaves as much.
        """
        inside = max(w for w in self.sweep if self.swept[w] >= least)
        outside = min((w for w in self.sweep if w > inside), default=inside)
        for _ in range(_HALVINGS if outside > inside else 0):
            middle = (inside + outside) / 2
            if self._measure(middle) >= least:
                inside = middle
            else:
                outside = middle
        return inside

    def build_figures(self, least: float) -> list[Figure]:
        """Build relevance and engagement of the order that leaves engagement `least`."""
        order = replace(self.order, w_relevance={EVERY: self.find_weight(least)})
        figures = self.evaluation.build_order_figures(order)
        return [f for f in figures if f.metric.startswith(_KEPT) and f.kind == "mean"]

    def _measure(self, weight: float) -> float:
        scores = replace(self.order, w_relevance={EVERY: weight}).score_rows(
            self.evaluation.predictions, self.evaluation.calibrators
        )
        yardstick = "true" if "true" in self.judge.yardsticks else self.judge.currency
        return self.judge.measure_engagement(yardstick, scores).value


def compare_at_equal_engagement(arm: Frontier, reference: Frontier, loss: float) -> list[Figure]:
    """Compare two trainings where both leave the same engagement: `arm` less `reference`.

    Args:
        loss: share of the lower of their best engagements that both may give up for relevance.
    """
    least = min(arm.find_best(), reference.find_best()) * (1.0 - loss)
    other = {(f.metric, f.region): f for f in reference.build_figures(least)}
    return [
        f.subtract(other[f.metric, f.region], f.metric.replace("value.", EQUAL, 1))
        for f in arm.build_figures(least)
    ]
