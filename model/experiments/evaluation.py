"""All figures of one training on one split: by task, by kind of list, and of the arm's order."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from conf.sections.value import EvaluationConf
from model.evaluation.lists import RankedLists
from model.evaluation.measured import Measured, mean_ndcg
from model.evaluation.metrics import exponential_gain, log_losses
from model.evaluation.relevance import CLEAR_GRADES, KINDS, GradedLists, clear_pairs
from model.experiments.figures import ALL, Figure, Rows
from model.experiments.judge import Judge
from model.experiments.predictions import LIST, LOGGED, PAGE, TRUTH, UNIT, Predictions
from model.experiments.ranking import EVERY, Order, probabilities
from model.experiments.rows import grades, judged_rows, planted_pool, pooled_grades, shown_rows
from model.serving.calibrators import Calibrators
from model.spec import GRADES

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
UNKNOWN = "unknown"
_TINY = 1e-7


@dataclass(frozen=True)
class Evaluation:
    """Figures of one training from its predictions and calibrators; NDCG of grades is cut at k.

    auc.<x>, log_loss.<x> and calibration_error.<x> are of the logged position, the last two of
    calibrated probabilities. ndcg.<task> ranks a whole page by the task's probability at position
    1, ndcg@k.relevance a query's graded items by their expected grade. violations.share and
    violations.size are over consecutive steps of the funnel, as the model gives them at the logged
    position; served_violations.* calibrated at position 1, as they are served. Where the truth is
    planted, truth.ndcg.<task> has the true probabilities for gains, and truth.error.<task> is the
    mean distance of the served probability from the true one.
    """

    predictions: Predictions
    calibrators: Calibrators
    conf: EvaluationConf

    @property
    def k(self) -> int:
        """Cut-off of the NDCGs (ranks)."""
        return self.conf.k

    @cached_property
    def unit(self) -> tuple[NDArray[np.int64], int]:
        """[N] unit of each row, from 0, and the number of units."""
        codes, index = np.unique(self.predictions.codes(UNIT), return_inverse=True)
        return index.astype(np.int64), len(codes)

    @cached_property
    def regions(self) -> dict[str, Mask]:
        """[N] rows by region: all, each region, and those of an unknown one."""
        code = self.predictions.codes("region")
        names = dict(enumerate(self.predictions.spec.regions, start=1))
        found = {ALL: np.ones(len(code), bool)}
        found |= {name: code == id_ for id_, name in names.items()}
        outside = ~np.isin(code, list(names))
        return found | ({UNKNOWN: outside} if names and outside.any() else {})

    def tasks(self) -> list[Figure]:
        """Figures of every output and of the funnel's order, for all rows and by region."""
        spec = self.predictions.spec
        found = [f for output in spec.outputs for f in self._of_output(output)]
        shown = shown_rows(self.predictions)
        for task in spec.tasks:
            gains = self.predictions.columns[f"label_{task}"][shown]
            lists = RankedLists.of(self.predictions.codes(PAGE)[shown], gains, max(len(gains), 1))
            found += self._of_lists(f"ndcg.{task}", lists, shown, self.predictions.p(f"p_{task}"))
        if spec.relevance:
            graded = judged_rows(self.predictions)
            gains = exponential_gain(grades(self.predictions)[graded])
            lists = RankedLists.of(self.predictions.codes(LIST)[graded], gains, self.k)
            expected = np.sum([self.predictions.p(f"p_{g}") for g in GRADES], axis=0)
            found += self._of_lists(f"ndcg@{self.k}.relevance", lists, graded, expected)
        return [*found, *self._violations(), *self._truths()]

    def order(self, order: Order) -> list[Figure]:
        """An arm's order by every yardstick, and the relevance weights that it picked.

        value.engagement@k is in the currency, value.engagement_<yardstick>@k each by name
        (true_pooled: all items of a query with a planted outcome in one list), and
        value.engagement_effective the effective sample of the off-policy one. value.relevance_
        <kind>@k is the NDCG of a kind of list, ..._distance@k its share of the way from random to
        best, value.clear_pairs the share of pairs two grades apart in the right order.
        """
        judge = Judge.of(self.predictions, order.weights, self.conf)
        scores = order.scores(self.predictions, self.calibrators)
        found = [*self._engagement(judge, scores), *self._relevance(scores)]
        if order.conf.relevance == "picked":
            names = {EVERY: ALL, **dict(enumerate(self.predictions.spec.regions, start=1))}
            unit, size = self.unit
            for id_, weight in order.w_relevance.items():
                found.append(Rows(unit, size, names[id_]).constant("value.w_relevance", weight))
        return found

    def _engagement(self, judge: Judge, scores: Floats) -> Iterator[Figure]:
        measured = {name: judge.engagement(name, scores) for name in judge.yardsticks}
        yield from self._of_ratio(
            f"value.engagement@{self.k}", judge.shown, measured[judge.currency]
        )
        for name, each in measured.items():
            yield from self._of_ratio(f"value.engagement_{name}@{self.k}", judge.shown, each)
        planted = planted_pool(self.predictions, judge.weights)
        if planted is not None:
            rows, gains = planted
            lists = RankedLists.of(self.predictions.codes(LIST)[rows], gains[rows], self.k)
            found = mean_ndcg(lists, scores[rows])
            yield from self._of_ratio(f"value.engagement_true_pooled@{self.k}", rows, found)
        if "off_policy" in measured:
            effective = measured["off_policy"].effective
            unit, size = self.unit
            yield Rows(unit, size, ALL).constant("value.engagement_effective", effective)

    def _relevance(self, scores: Floats) -> Iterator[Figure]:
        if not self.predictions.spec.relevance:
            return
        rows, grade = pooled_grades(self.predictions)
        query, pooled = self.predictions.codes(LIST)[rows], scores[rows]
        for kind in KINDS:
            lists = GradedLists.of(kind, query, grade[rows], self.k)
            name = f"value.relevance_{kind}"
            yield from self._of_ratio(f"{name}@{self.k}", rows, lists.ndcg(pooled))
            yield from self._of_ratio(f"{name}_distance@{self.k}", rows, lists.distance(pooled))
        pairs = clear_pairs(query, grade[rows], CLEAR_GRADES, pooled)
        yield from self._of_ratio("value.clear_pairs", rows, pairs)

    def _of_ratio(self, metric: str, mask: Mask, found: Measured) -> Iterator[Figure]:
        """A figure by region from what each of the masked rows adds to its two sums."""
        unit, size = self.unit
        place = np.flatnonzero(mask)
        for region, rows in self.regions.items():
            here = rows[place]
            sums = found.numerator[here], found.denominator[here]
            yield Rows(unit[place][here], size, region).ratio(metric, *sums)

    def _of_output(self, output: str) -> Iterator[Figure]:
        known = self.predictions.known(output, LOGGED)
        name = output.removeprefix("p_")
        counted = known.weight > 0
        if name in GRADES:
            counted &= judged_rows(self.predictions)
        p = self._calibrated(LOGGED)[output]
        for rows, mask in self._rows(counted):
            label, weight = known.label[mask], known.weight[mask]
            yield rows.auc(f"auc.{name}", known.p[mask], label)
            yield rows.mean(f"log_loss.{name}", log_losses(p[mask], label), weight)
            yield rows.calibration(f"calibration_error.{name}", p[mask], label, weight)

    def _of_lists(
        self, metric: str, lists: RankedLists, mask: Mask, scores: Floats
    ) -> Iterator[Figure]:
        """Mean NDCG of the lists over the masked rows; scores [N] of all rows."""
        values = lists.ndcg(scores[mask])
        unit, size = self.unit
        place = np.flatnonzero(mask)[lists.first]
        for region, rows in self.regions.items():
            here = rows[place]
            yield Rows(unit[place][here], size, region).mean(metric, values[here])

    def _violations(self) -> Iterator[Figure]:
        spec = self.predictions.spec
        raw = {name: self.predictions.p(name, LOGGED) for name in spec.outputs}
        served = probabilities(self.predictions, self.calibrators, calibrated=True)
        for kind, p in (("violations", raw), ("served_violations", served)):
            steps = [p[f"p_{task}"] for task in spec.tasks]
            rise = [np.maximum(later - earlier, 0.0) for earlier, later in pairwise(steps)]
            if not rise:
                continue
            size = np.mean(rise, axis=0)
            share = np.mean([r > _TINY for r in rise], axis=0)
            for rows, mask in self._rows(shown_rows(self.predictions)):
                yield rows.mean(f"{kind}.share", share[mask])
                yield rows.mean(f"{kind}.size", size[mask])

    def _truths(self) -> Iterator[Figure]:
        served = probabilities(self.predictions, self.calibrators, calibrated=True)
        for task in self.predictions.spec.tasks:
            truth = self.predictions.columns.get(f"{TRUTH}{task}")
            if truth is None:
                continue
            known = shown_rows(self.predictions) & (truth >= 0)
            lists = RankedLists.of(self.predictions.codes(PAGE)[known], truth[known], len(truth))
            scores = self.predictions.p(f"p_{task}")
            yield from self._of_lists(f"truth.ndcg.{task}", lists, known, scores)
            distance = np.abs(served[f"p_{task}"] - truth)
            for rows, mask in self._rows(known):
                yield rows.mean(f"truth.error.{task}", distance[mask])

    def _rows(self, counted: Mask) -> Iterator[tuple[Rows, Mask]]:
        """The counted rows of each region that has some."""
        unit, size = self.unit
        for region, here in self.regions.items():
            mask = here & counted
            if mask.any():
                yield Rows(unit[mask], size, region), mask

    def _calibrated(self, position: str) -> dict[str, Floats]:
        outputs = self.predictions.spec.outputs
        raw = {name: self.predictions.p(name, position).astype(np.float32) for name in outputs}
        found = self.calibrators.apply(raw, self.predictions.codes("region"))
        return {name: np.asarray(p, np.float64) for name, p in found.items()}


def by_name(figures: list[Figure]) -> dict[tuple[str, str], Figure]:
    """Figures by metric and region."""
    return {(f.metric, f.region): f for f in figures}
