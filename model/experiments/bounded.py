"""Relevance at one and the same engagement: how arms compare whose picked weights differ.

Arms that pick their own relevance weight may give up different amounts of engagement for it, and
then their relevance does not compare. Here each arm takes the largest weight that leaves a share of
the reference's best engagement, on the judged split itself: a yardstick of what it could reach, not
a way to pick a weight.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from model.experiments.evaluation import Evaluation
from model.experiments.figures import Figure
from model.experiments.judge import Judge
from model.experiments.ranking import EVERY, Order

BOUNDED = "bounded."
"""What takes the place of `value.` in the name of a figure at the bounded engagement."""
_KEPT = ("value.relevance_judged@", "value.relevance_pooled@", "value.engagement", "value.w_rel")
_HALVINGS = 5
"""Halvings of the step of the sweep in which the bound is crossed (count): to a thirtieth of it,
less than the noise of any figure here."""


@dataclass(frozen=True)
class BoundedOrder:
    """A training's orders under every relevance weight, on the split that is judged.

    Attributes:
        order: of the arm; its own weight does not matter.
        sweep: weights that are tried, rising from 0.
    """

    evaluation: Evaluation
    order: Order
    sweep: Sequence[float]

    @cached_property
    def judge(self) -> Judge:
        """What engagement is measured by."""
        e = self.evaluation
        return Judge.from_predictions(e.predictions, self.order.weights, e.conf)

    @cached_property
    def swept(self) -> dict[float, float]:
        """Engagement by weight of the sweep."""
        return {w: self._measure(w) for w in self.sweep}

    def find_best(self) -> float:
        """Find the most engagement of any weight of the sweep."""
        return max(self.swept.values())

    def find_weight(self, least: float) -> float:
        """Find the largest weight that leaves engagement `least`; where none does, the weight with
        the most engagement, which is more than such an arm has a right to."""
        swept = self.swept
        enough = [w for w in self.sweep if swept[w] >= least]
        if not enough:
            return max(self.sweep, key=lambda w: swept[w])
        inside = max(enough)
        outside = min((w for w in self.sweep if w > inside), default=inside)
        for _ in range(_HALVINGS if outside > inside else 0):
            middle = (inside + outside) / 2
            if self._measure(middle) >= least:
                inside = middle
            else:
                outside = middle
        return inside

    def _measure(self, weight: float) -> float:
        """Measure engagement by the planted truth, else in the currency."""
        scores = replace(self.order, w_relevance={EVERY: weight}).score_rows(
            self.evaluation.predictions, self.evaluation.calibrators
        )
        yardstick = "true" if "true" in self.judge.yardsticks else self.judge.currency
        return self.judge.measure_engagement(yardstick, scores).value

    def build_figures(self, least: float) -> list[Figure]:
        """Build relevance, engagement and weight of the order that leaves engagement `least`."""
        order = replace(self.order, w_relevance={EVERY: self.find_weight(least)})
        return [
            replace(figure, metric=figure.metric.replace("value.", BOUNDED, 1))
            for figure in self.evaluation.build_order_figures(order)
            if figure.metric.startswith(_KEPT)
        ]
