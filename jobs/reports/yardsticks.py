"""All yardsticks of `evaluate`: block sums of every ranker, and which one is the currency."""

from collections.abc import Mapping
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from conf.sections.value import EvaluationConf, Weights
from features.contracts.training import TASKS
from features.evaluation.lists import (
    engagement_gains,
    examination_at_position,
    judged_lists,
    relevance_gains,
    select_pages,
)
from features.evaluation.names import (
    RELEVANCE_KINDS,
    engagement_metric,
    engagement_metrics,
    relevance_metrics,
)
from features.evaluation.rankers import logged_ranker, predicted_engagement, weigh_engagement
from features.evaluation.served import clear_pair_sums, mixed_lists, pooled_lists, with_truth
from features.evaluation.sums import ranked_sums
from features.evaluation.weighed import WEIGHED, ratio_sums, weighed_gains, weighed_samples
from model.evaluation.block_sums import BlockSums, Cell
from model.evaluation.currency import Currency, choose_currency

CHANCE = "random"


@dataclass(frozen=True)
class Yardsticks:
    """What rankers are judged by.

    Attributes:
        rankers: name -> score.
        weights, default: engagement weights by region.
        curve: relative examination by position.
        conf: cut-off, bounds and the currency asked for.
    """

    rankers: Mapping[str, Column]
    weights: Mapping[str, Weights]
    default: Weights
    curve: list[float]
    conf: EvaluationConf

    @property
    def weighed(self) -> dict[str, Column]:
        """Gains of the yardsticks that are ratios."""
        seen = examination_at_position(self.curve)
        return weighed_gains(self.weights, self.default, seen, self.conf.max_weight)

    def sum_engagement(self, rows: DataFrame) -> DataFrame:
        """Sum engagement by block over pages, as logged and weighed. Rows with `block`."""
        shown, k = select_pages(rows), self.conf.k
        rankers = dict(self.rankers) | logged_ranker()
        gains = engagement_gains(self.weights, self.default)
        as_logged = shown.transform(ranked_sums(rankers, gains, engagement_metrics(k), k))
        names = {g: engagement_metric(g, k) for g in WEIGHED}
        weighed = shown.transform(ratio_sums(self.rankers, self.weighed, names, k))
        return as_logged.unionByName(weighed)

    def sum_in_currency(self, rows: DataFrame, currency: Currency, metric: str) -> DataFrame:
        """Sum engagement by block over pages by one yardstick, under a name. Rows with `block`."""
        k, shown = self.conf.k, select_pages(rows)
        if currency == "logged":
            gains = {"gain": engagement_gains(self.weights, self.default)["combined"]}
            return shown.transform(ranked_sums(self.rankers, gains, {"gain": metric}, k))
        gains = {"gain": self.weighed[currency]}
        return shown.transform(ratio_sums(self.rankers, gains, {"gain": metric}, k))

    def sum_expected(self, rows: DataFrame, metric: str) -> DataFrame:
        """Sum NDCG by block over pages, the ranker's own expected engagement for gains."""
        gains = {"gain": predicted_engagement(self.weights, self.default)}
        return select_pages(rows).transform(
            ranked_sums(self.rankers, gains, {"gain": metric}, self.conf.k)
        )

    def measure_samples(self, rows: DataFrame) -> dict[str, float]:
        """Measure the samples: pages, and effective_<g> and pages_<g> of each weighed yardstick."""
        row = select_pages(rows).transform(weighed_samples(self.weighed)).collect()[0]
        return {name: float(value) for name, value in row.asDict().items()}

    def sum_true(self, lists: DataFrame, truth: DataFrame, yardstick: str) -> DataFrame:
        """Sum NDCG by block with planted gains; items without them are left out of their list.

        The market plants outcomes for the pairs that it can show, and a night scores more.
        """
        planted = [F.col(f"true_p_{task}") for task in TASKS]
        gains = {"planted": weigh_engagement(self.weights, self.default, planted)}
        names = {"planted": engagement_metric(yardstick, self.conf.k)}
        rows = lists.transform(with_truth(truth)).where(F.col("true_p_click").isNotNull())
        return rows.transform(ranked_sums(self.rankers, gains, names, self.conf.k))

    def sum_relevance(self, rows: DataFrame, *, all_labels: bool) -> DataFrame:
        """Sum relevance by block over every kind of list. Rows with `block`, `grade` and
        `label_source`."""
        k, grades = self.conf.k, relevance_gains()
        sums = judged_lists(rows, human_only=True).transform(
            ranked_sums(self.rankers, grades, relevance_metrics(k, human_only=True), k)
        )
        exponential = {"exp": grades["exp"]}
        for kind, of_kind in (("judged_mixed", mixed_lists), ("pooled", pooled_lists)):
            names = {"exp": RELEVANCE_KINDS[kind].format(k=k)}
            lists = of_kind(rows)
            sums = sums.unionByName(
                lists.transform(ranked_sums(self.rankers, exponential, names, k))
            )
        sums = sums.unionByName(
            rows.transform(clear_pair_sums(self.rankers, "relevance_clear_pairs"))
        )
        if not all_labels:
            return sums
        every = judged_lists(rows, human_only=False)
        names = relevance_metrics(k, human_only=False)
        return sums.unionByName(every.transform(ranked_sums(self.rankers, grades, names, k)))

    def choose_currency(self, samples: Mapping[str, float]) -> Currency:
        """Choose the yardstick that picks and gates."""
        effective = samples["effective_off_policy"]
        return choose_currency(self.conf.currency, effective, self.conf.min_effective)


def add_distances(sums: BlockSums, k: int) -> None:
    """Add each kind's share of the way from random to best: (x - random) / (1 - random)."""
    for metric in [kind.format(k=k) for kind in RELEVANCE_KINDS.values()]:
        for region in sums.regions:
            chance = sums.get(region, CHANCE, metric)
            for ranker in sums.list_rankers(metric):
                cell = sums.get(region, ranker, metric)
                if chance is None or cell is None:
                    continue
                name = metric.replace("_ndcg@", "_distance@")
                sums.add((region, ranker, name), _compute_distance(cell, chance))


def _compute_distance(cell: Cell, chance: Cell) -> Cell:
    return Cell(
        cell.totals - chance.totals,
        cell.denominators - chance.totals,
        cell.queries,
        cell.lists,
    )
