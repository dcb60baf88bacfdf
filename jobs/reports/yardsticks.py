"""All yardsticks of `evaluate`: block sums of every ranker, and which one is the currency."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from conf.sections.value import EvaluationConf, Weights
from features.contracts.training import TASKS
from features.evaluation.lists import (
    engagement_gains,
    examination_at_position,
    relevance_gains,
    select_pages,
)
from features.evaluation.names import (
    RELEVANCE_KINDS,
    engagement_metric,
    engagement_metrics,
    relevance_metrics,
)
from features.evaluation.rankers import (
    LOGGED,
    logged_ranker,
    predicted_engagement,
    weigh_engagement,
)
from features.evaluation.weighed import ROBUST, WEIGHED, weighed_gains, weighed_samples
from jobs.reports.list_sums import sum_doubly_robust, sum_lists_by_query
from model.evaluation.block_sums import BlockSums, Cell
from model.evaluation.currency import Currency, choose_currency
from model.evaluation.list_sums import ListMetric
from model.evaluation.metrics import compute_log_discounts

CHANCE = "random"
FEWEST_CLICKS = 30.0
"""Effective sample (clicks of equal weight) of doubly robust figures, at least: their denominators
are estimates, too, and near 0 by chance where clicks are few."""
_NOT_LOGGED = frozenset({LOGGED})
"""The logger's order reads the position: only logged engagement can judge it."""


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

    @property
    def gains(self) -> dict[str, Column]:
        """All gains by name; `exp_all` and `linear_all` take the grades of every source.

        `planted` is null where the market plants no outcome: it plants those of the pairs that it
        can show, and a night scores more. `expected` is what the ranker itself expects.
        """
        people = F.when(F.col("label_source") == "human", F.col("grade"))
        planted = [F.col(f"true_p_{task}") for task in TASKS]
        return {
            **relevance_gains(people),
            **{f"{name}_all": gain for name, gain in relevance_gains(F.col("grade")).items()},
            **engagement_gains(self.weights, self.default),
            **self.weighed,
            "planted": weigh_engagement(self.weights, self.default, planted),
            "expected": predicted_engagement(self.weights, self.default),
        }

    def list_page_metrics(self, *, with_truth: bool) -> list[ListMetric]:
        """List the metrics of engagement over pages: as logged, weighed, and true."""
        k = self.conf.k
        metrics = [ListMetric(name, gain) for gain, name in engagement_metrics(k).items()]
        metrics += [self.make_engagement_metric(y, engagement_metric(y, k)) for y in WEIGHED]
        return metrics + self._list_true("true", with_truth)

    def list_served_metrics(self, *, all_labels: bool, with_truth: bool) -> list[ListMetric]:
        """List the metrics over a query's candidates: relevance of every kind, and true
        engagement."""
        k = self.conf.k
        names = {kind: name.format(k=k) for kind, name in RELEVANCE_KINDS.items()}
        metrics = [
            *_make_ndcg_of_known(relevance_metrics(k, human_only=True)),
            ListMetric(names["judged_mixed"], "exp", "mixed"),
            ListMetric(names["pooled"], "exp", "pooled"),
            ListMetric("relevance_clear_pairs", "linear", "known", "clear_pairs"),
        ]
        if all_labels:
            every = relevance_metrics(k, human_only=False)
            metrics += _make_ndcg_of_known({f"{gain}_all": name for gain, name in every.items()})
        return metrics + self._list_true("true_candidates", with_truth)

    def make_engagement_metric(self, yardstick: str, name: str) -> ListMetric:
        """Make the metric of engagement over pages by one yardstick, under a name."""
        if yardstick == "logged":
            return ListMetric(name, "combined")
        return ListMetric(name, yardstick, measure="ratio", without=_NOT_LOGGED)

    def sum_pages(
        self, rows: DataFrame, metrics: Sequence[ListMetric], *, with_logged: bool = False
    ) -> DataFrame:
        """Sum metrics of result pages by query, of the logger's order too where asked. Rows with
        `block`."""
        rankers = dict(self.rankers) | (logged_ranker() if with_logged else {})
        return self._sum(select_pages(rows), rankers, metrics)

    def sum_robust(self, rows: DataFrame, samples: Mapping[str, float]) -> list[DataFrame]:
        """Sum the doubly robust engagement of result pages by query; nothing from too few clicks.
        Rows with `block`.

        Args:
            samples: of `measure_samples`.
        """
        if samples["effective_off_policy"] < FEWEST_CLICKS:
            return []
        name = engagement_metric(ROBUST, self.conf.k)
        pages, gain = select_pages(rows), self.gains["combined"]
        reward = samples["reward"]
        return [sum_doubly_robust(pages, self.rankers, gain, name, self.curve, reward, self.conf)]

    def sum_lists(self, rows: DataFrame, metrics: Sequence[ListMetric]) -> DataFrame:
        """Sum metrics of the items of a query by query. Rows with `block`."""
        return self._sum(rows.withColumn("unit", F.col("query_id")), self.rankers, metrics)

    def _sum(
        self, lists: DataFrame, rankers: Mapping[str, Column], metrics: Sequence[ListMetric]
    ) -> DataFrame:
        asked = {metric.gain for metric in metrics}
        gains = {name: gain for name, gain in self.gains.items() if name in asked}
        discounts = compute_log_discounts(self.conf.k).tolist()
        return sum_lists_by_query(lists, rankers, gains, metrics, discounts)

    def _list_true(self, yardstick: str, with_truth: bool) -> list[ListMetric]:
        """List the NDCG with planted gains; items without them are left out of their list."""
        name = engagement_metric(yardstick, self.conf.k)
        return [ListMetric(name, "planted", "known", without=_NOT_LOGGED)] if with_truth else []

    def measure_samples(self, rows: DataFrame) -> dict[str, float]:
        """Measure the samples: pages, effective_<g> and pages_<g> of each weighed yardstick, and
        `reward`, all engagement divided by all examination."""
        engagement, looked = self.gains["combined"], examination_at_position(self.curve)
        samples = weighed_samples(self.weighed, engagement, looked)
        row = select_pages(rows).transform(samples).collect()[0]
        return {name: float(value) for name, value in row.asDict().items()}

    def choose_currency(self, samples: Mapping[str, float]) -> Currency:
        """Choose the yardstick that picks and gates."""
        effective = samples["effective_off_policy"]
        return choose_currency(self.conf.currency, effective, self.conf.min_effective)


def _make_ndcg_of_known(names: Mapping[str, str]) -> Iterable[ListMetric]:
    """Make the NDCG of the items whose gain is known: gain -> name of the metric."""
    return (ListMetric(name, gain, "known") for gain, name in names.items())


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
