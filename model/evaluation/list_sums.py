"""Sums the metrics of many rankers over many lists, query by query.

The night's figures, and the gate's, are made of these sums; a query's sums may come in parts, from
rows that were read apart.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from model.arrays import Floats, Ints, Mask
from model.evaluation.lists import RankedLists
from model.evaluation.relevance import CLEAR_GRADES, ClearPairs, mark_members

Members = Literal["all", "known", "mixed", "pooled"]
Measure = Literal["ndcg", "ratio", "mean_gain", "clear_pairs"]
_KINDS = {"known": "judged", "mixed": "judged_mixed", "pooled": "pooled"}
"""Kind of `model.evaluation.relevance.mark_members`, whose lists have these members."""
COUNTS = ("lists", "short", "masked", "no_positive")
"""Lists that count, and those that are left out, by reason (count)."""


@dataclass(frozen=True)
class ListMetric:
    """A metric of lists of items.

    Attributes:
        name: of the metric.
        gain: name of the gain; nan where it is not known.
        members: which rows make up a list. all: every row; a list with an unknown gain is left out
            (to drop the item alone would leave only those with early good news). known: those
            whose gain is known. mixed: known gains, of lists that hold one above 0 and one of 0.
            pooled: every row of a list with a gain above 0, unknown ones as 0.
        measure: ndcg: NDCG, a mean over a query's lists. ratio: discounted gains over gains, both
            summed over all lists, so that every unit of gain counts the same. mean_gain: discounted
            gains, a mean over a query's lists. clear_pairs: share of the pairs of items
            CLEAR_GRADES apart in gain that stand in the right order.
        without: names of rankers that the metric says nothing of.
    """

    name: str
    gain: str
    members: Members = "all"
    measure: Measure = "ndcg"
    without: frozenset[str] = frozenset()

    @property
    def is_mean(self) -> bool:
        """Tell whether the figure of a query is a mean over its lists."""
        return self.measure in ("ndcg", "mean_gain")


@dataclass(frozen=True)
class ListRows:
    """Items of whole lists.

    Attributes:
        unit, query: [N] code of the list, and of its query.
        gains: name -> [N], nan where it is not known.
        scores: ranker -> [N], higher is better, never nan.
    """

    unit: Ints
    query: Ints
    gains: Mapping[str, Floats]
    scores: Mapping[str, Floats]

    def select(self, rows: Mask) -> "ListRows":
        """Select some rows [N]."""
        if rows.all():
            return self
        return ListRows(
            self.unit[rows],
            self.query[rows],
            {name: gain[rows] for name, gain in self.gains.items()},
            {name: score[rows] for name, score in self.scores.items()},
        )


def sum_by_query(
    rows: ListRows, metrics: Sequence[ListMetric], discounts: Floats
) -> Iterator[pd.DataFrame]:
    """Sum every metric over the lists of each query, for every ranker.

    Args:
        discounts: [k] by rank; later ranks count nothing.

    Yields:
        query (code), ranker, metric, total, under, and COUNTS: the figure of a query is total /
        under. One row per query with a list, ranker and metric.
    """
    for members, chosen in _group_by_members(rows, metrics):
        yield from _sum_lists(rows.select(members), chosen, discounts)


def _group_by_members(
    rows: ListRows, metrics: Sequence[ListMetric]
) -> Iterator[tuple[Mask, list[ListMetric]]]:
    """Bring together the metrics whose lists have the same rows: those are ranked once."""
    groups: dict[bytes, tuple[Mask, list[ListMetric]]] = {}
    for metric in metrics:
        members = _mark_members(rows, metric)
        groups.setdefault(members.tobytes(), (members, []))[1].append(metric)
    yield from groups.values()


def _mark_members(rows: ListRows, metric: ListMetric) -> Mask:
    gain = rows.gains[metric.gain]
    if metric.members == "all":
        return np.ones(len(gain), bool)
    return mark_members(_KINDS[metric.members], rows.unit, np.where(np.isnan(gain), -1.0, gain))


def _sum_lists(
    rows: ListRows, metrics: Sequence[ListMetric], discounts: Floats
) -> Iterator[pd.DataFrame]:
    lists = RankedLists.with_discounts(rows.unit, np.zeros(len(rows.unit)), discounts)
    weighed = {name: lists.compute_discounts(score) for name, score in rows.scores.items()}
    queries, at = np.unique(rows.query[lists.any_row], return_inverse=True)
    for metric in metrics:
        counted = _Counted.build(metric, lists, rows.gains[metric.gain])
        counts = {
            name: np.bincount(at, counted.why == name, len(queries)).astype(np.int64)
            for name in COUNTS
        }
        under = np.bincount(at, counted.under, len(queries))
        for ranker, score in rows.scores.items():
            if ranker not in metric.without:
                total = np.bincount(at, counted.sum_gains(score, weighed[ranker]), len(queries))
                yield pd.DataFrame(
                    {"query": queries, "ranker": ranker, "metric": metric.name}
                    | {"total": total, "under": under}
                    | counts
                )


@dataclass(frozen=True)
class _Counted:
    """Holds which lists count for a metric, and how much, whatever ranks them.

    Attributes:
        why: [L] which of COUNTS a list counts for; '' for none.
        under: [L] what it adds to the denominator, 0 where it is left out.
        pairs: of clear_pairs.
    """

    metric: ListMetric
    lists: RankedLists
    why: NDArray[np.str_]
    under: Floats
    pairs: ClearPairs | None = None

    @classmethod
    def build(cls, metric: ListMetric, lists: RankedLists, gain: Floats) -> "_Counted":
        """Decide which lists count."""
        unknown = np.isnan(gain)
        if metric.measure == "clear_pairs":
            return cls._build_pairs(metric, lists, np.where(unknown, -1.0, gain))
        lists = lists.with_gains(np.where(unknown, 0.0, gain))
        size = len(lists.any_row)
        mass = np.bincount(lists.index, lists.gains, size)
        missing = np.zeros(size, bool)
        if metric.members == "all":
            missing = np.bincount(lists.index, unknown, size) > 0
        left_out = {
            "ndcg": {
                "short": lists.count_rows() < 2,
                "masked": missing,
                "no_positive": ~(lists.ideal > 0),
            },
            "ratio": {"masked": missing, "no_positive": ~(mass > 0)},
            "mean_gain": {"masked": missing},
        }[metric.measure]
        why = np.select(list(left_out.values()), list(left_out), "lists")
        each = mass if metric.measure == "ratio" else np.ones(size)
        return cls(metric, lists, why, np.where(why == "lists", each, 0.0))

    @classmethod
    def _build_pairs(cls, metric: ListMetric, lists: RankedLists, level: Floats) -> "_Counted":
        pairs = ClearPairs.from_levels(lists.index, level, CLEAR_GRADES)
        counted = np.bincount(lists.index, pairs.counts, len(lists.any_row)).astype(np.float64)
        return cls(metric, lists, np.where(counted > 0, "lists", ""), counted, pairs)

    def sum_gains(self, score: Floats, discounts: Floats) -> Floats:
        """Sum what each list adds to the numerator, [L], under the scores and the discounts of
        their ranks, [N] each."""
        size = len(self.lists.any_row)
        if self.pairs is not None:
            right = self.pairs.count_right(score)
            return np.asarray(np.bincount(self.lists.index, right, size))
        dcg = np.bincount(self.lists.index, self.lists.gains * discounts, size)
        counted = self.under > 0
        if self.metric.measure == "ndcg":
            return np.where(counted, dcg / np.where(counted, self.lists.ideal, 1.0), 0.0)
        return np.asarray(np.where(counted, dcg, 0.0))
