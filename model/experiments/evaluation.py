"""All figures of one training on one split: by task, by kind of list, and of the arm's order."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from conf.sections.value import EvaluationConf
from model.arrays import Floats, Mask
from model.evaluation.block_sums import ALL
from model.evaluation.lists import RankedLists
from model.evaluation.measured import Measured, measure_ndcg
from model.evaluation.metrics import compute_exponential_gains, compute_log_losses
from model.evaluation.relevance import CLEAR_GRADES, KINDS, GradedLists, measure_clear_pairs
from model.experiments.figures import Figure, UnitRows
from model.experiments.judge import Judge
from model.experiments.predictions import LIST, LOGGED, PAGE, TRUTH, UNIT, Predictions
from model.experiments.ranking import EVERY, Order, compute_served_probabilities
from model.experiments.rows import (
    compute_grades,
    mark_judged,
    mark_shown,
    pool_grades,
    pool_planted,
)
from model.serving.calibrators import Calibrators
from model.spec import THRESHOLDS

UNKNOWN = "unknown"
_TINY = 1e-7
"""Least rise of a step that counts as a violation: a smaller one is rounding."""


@dataclass(frozen=True)
class Evaluation:
    """Figures of one training from its predictions and calibrators; NDCG of grades is cut at k.

    auc.<x>, log_loss.<x> and calibration_error.<x> are of the logged position, the last two of
    calibrated probabilities. ndcg.<task> ranks whole pages by the task's probability at position 1
    (a mean over queries of the mean over their pages, as in every report), ndcg@k.relevance a
    query's graded items by their expected grade. violations.share and
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
        codes, index = np.unique(self.predictions.get_codes(UNIT), return_inverse=True)
        return index.astype(np.int64), len(codes)

    @cached_property
    def regions(self) -> dict[str, Mask]:
        """[N] rows by region: all, each region, and those of an unknown one."""
        code = self.predictions.get_codes("region")
        names = dict(enumerate(self.predictions.spec.regions, start=1))
        masks = {ALL: np.ones(len(code), bool)}
        masks |= {name: code == id_ for id_, name in names.items()}
        outside = ~np.isin(code, list(names))
        return masks | ({UNKNOWN: outside} if names and outside.any() else {})

    def build_task_figures(self) -> list[Figure]:
        """Build the figures of every output and of the funnel's order, for all rows and by
        region."""
        spec = self.predictions.spec
        figures = [f for output in spec.outputs for f in self._build_output(output)]
        shown = mark_shown(self.predictions)
        for task in spec.tasks:
            gains = self.predictions.columns[f"label_{task}"][shown]
            lists = RankedLists.from_codes(
                self.predictions.get_codes(PAGE)[shown], gains, max(len(gains), 1)
            )
            figures += self._build_ndcg(
                f"ndcg.{task}", lists, shown, self.predictions.get_probability(f"p_{task}")
            )
        if spec.relevance:
            graded = mark_judged(self.predictions)
            gains = compute_exponential_gains(compute_grades(self.predictions)[graded])
            lists = RankedLists.from_codes(self.predictions.get_codes(LIST)[graded], gains, self.k)
            expected = np.sum(
                [self.predictions.get_probability(f"p_{g}") for g in THRESHOLDS], axis=0
            )
            figures += self._build_ndcg(f"ndcg@{self.k}.relevance", lists, graded, expected)
        return [*figures, *self._build_violations(), *self._build_truths()]

    def build_order_figures(self, order: Order) -> list[Figure]:
        """Judge an arm's order by every yardstick, and note the relevance weights that it picked.

        value.engagement@k is in the currency, value.engagement_<yardstick>@k each by name
        (true_pooled: all items of a query with a planted outcome in one list), and
        value.engagement_effective the effective sample of the off-policy one. value.relevance_
        <kind>@k is the NDCG of a kind of list, ..._distance@k its share of the way from random to
        best, value.clear_pairs the share of pairs two grades apart in the right order.
        """
        judge = Judge.from_predictions(self.predictions, order.weights, self.conf)
        scores = order.score_rows(self.predictions, self.calibrators)
        figures = [*self._build_engagement(judge, scores), *self._build_relevance(scores)]
        if order.conf.relevance == "picked":
            names = {EVERY: ALL, **dict(enumerate(self.predictions.spec.regions, start=1))}
            unit, size = self.unit
            for id_, weight in order.w_relevance.items():
                figures.append(
                    UnitRows(unit, size, names[id_]).build_constant("value.w_relevance", weight)
                )
        return figures

    def _build_engagement(self, judge: Judge, scores: Floats) -> Iterator[Figure]:
        measured = {name: judge.measure_engagement(name, scores) for name in judge.yardsticks}
        yield from self._build_ratio(
            f"value.engagement@{self.k}", judge.shown, measured[judge.currency]
        )
        for name, each in measured.items():
            yield from self._build_ratio(f"value.engagement_{name}@{self.k}", judge.shown, each)
        planted = pool_planted(self.predictions, judge.weights)
        if planted is not None:
            rows, gains = planted
            lists = RankedLists.from_codes(
                self.predictions.get_codes(LIST)[rows], gains[rows], self.k
            )
            pooled = measure_ndcg(lists, scores[rows])
            yield from self._build_ratio(f"value.engagement_true_pooled@{self.k}", rows, pooled)
        if "off_policy" in measured:
            effective = measured["off_policy"].effective
            unit, size = self.unit
            yield UnitRows(unit, size, ALL).build_constant("value.engagement_effective", effective)

    def _build_relevance(self, scores: Floats) -> Iterator[Figure]:
        if not self.predictions.spec.relevance:
            return
        rows, grade = pool_grades(self.predictions)
        query, pooled = self.predictions.get_codes(LIST)[rows], scores[rows]
        for kind in KINDS:
            lists = GradedLists.from_grades(kind, query, grade[rows], self.k)
            name = f"value.relevance_{kind}"
            yield from self._build_ratio(f"{name}@{self.k}", rows, lists.measure_ndcg(pooled))
            yield from self._build_ratio(
                f"{name}_distance@{self.k}", rows, lists.measure_distance(pooled)
            )
        pairs = measure_clear_pairs(query, grade[rows], CLEAR_GRADES, pooled)
        yield from self._build_ratio("value.clear_pairs", rows, pairs)

    def _build_ratio(self, metric: str, mask: Mask, measured: Measured) -> Iterator[Figure]:
        """Build a figure by region from what each of the masked rows adds to its two sums."""
        unit, size = self.unit
        place = np.flatnonzero(mask)
        for region, rows in self.regions.items():
            here = rows[place]
            sums = measured.numerator[here], measured.denominator[here]
            yield UnitRows(unit[place][here], size, region).build_ratio(metric, *sums)

    def _build_output(self, output: str) -> Iterator[Figure]:
        labelled = self.predictions.get_labelled(output, LOGGED)
        name = output.removeprefix("p_")
        counted = labelled.weight > 0
        if name in THRESHOLDS:
            counted &= mark_judged(self.predictions)
        p = self._calibrate(LOGGED)[output]
        for rows, mask in self._split_rows(counted):
            label, weight = labelled.label[mask], labelled.weight[mask]
            yield rows.build_auc(f"auc.{name}", labelled.p[mask], label)
            yield rows.build_mean(f"log_loss.{name}", compute_log_losses(p[mask], label), weight)
            yield rows.build_calibration(f"calibration_error.{name}", p[mask], label, weight)

    def _build_ndcg(
        self, metric: str, lists: RankedLists, mask: Mask, scores: Floats
    ) -> Iterator[Figure]:
        """Build the mean over queries of their lists' mean NDCG, from the masked rows; scores [N]
        of all rows."""
        query = self.predictions.get_codes(LIST)[mask]
        yield from self._build_ratio(metric, mask, measure_ndcg(lists, scores[mask], query))

    def _build_violations(self) -> Iterator[Figure]:
        spec = self.predictions.spec
        raw = {name: self.predictions.get_probability(name, LOGGED) for name in spec.outputs}
        served = compute_served_probabilities(self.predictions, self.calibrators, calibrated=True)
        for kind, p in (("violations", raw), ("served_violations", served)):
            steps = [p[f"p_{task}"] for task in spec.tasks]
            rise = [np.maximum(later - earlier, 0.0) for earlier, later in pairwise(steps)]
            if not rise:
                continue
            size = np.mean(rise, axis=0)
            share = np.mean([r > _TINY for r in rise], axis=0)
            for rows, mask in self._split_rows(mark_shown(self.predictions)):
                yield rows.build_mean(f"{kind}.share", share[mask])
                yield rows.build_mean(f"{kind}.size", size[mask])

    def _build_truths(self) -> Iterator[Figure]:
        served = compute_served_probabilities(self.predictions, self.calibrators, calibrated=True)
        for task in self.predictions.spec.tasks:
            truth = self.predictions.columns.get(f"{TRUTH}{task}")
            if truth is None:
                continue
            planted = mark_shown(self.predictions) & (truth >= 0)
            lists = RankedLists.from_codes(
                self.predictions.get_codes(PAGE)[planted], truth[planted], len(truth)
            )
            scores = self.predictions.get_probability(f"p_{task}")
            yield from self._build_ndcg(f"truth.ndcg.{task}", lists, planted, scores)
            distance = np.abs(served[f"p_{task}"] - truth)
            for rows, mask in self._split_rows(planted):
                yield rows.build_mean(f"truth.error.{task}", distance[mask])

    def _split_rows(self, counted: Mask) -> Iterator[tuple[UnitRows, Mask]]:
        """Yield the counted rows of each region that has some."""
        unit, size = self.unit
        for region, here in self.regions.items():
            mask = here & counted
            if mask.any():
                yield UnitRows(unit[mask], size, region), mask

    def _calibrate(self, position: str) -> dict[str, Floats]:
        outputs = self.predictions.spec.outputs
        raw = {
            name: self.predictions.get_probability(name, position).astype(np.float32)
            for name in outputs
        }
        calibrated = self.calibrators.apply(raw, self.predictions.get_codes("region"))
        return {name: np.asarray(p, np.float64) for name, p in calibrated.items()}
