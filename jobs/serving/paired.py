"""Block sums of several orders of the same validation lists: what two models, or weights, differ
by."""

from collections.abc import Mapping
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame

from conf.schema import Conf
from conf.sections.value import Weights
from features.evaluation.lists import with_block
from features.evaluation.names import engagement_metric
from jobs.reports.examination import find_examination
from jobs.reports.list_sums import sum_blocks
from jobs.reports.yardsticks import Yardsticks
from model.evaluation.block_sums import BlockSums
from model.evaluation.currency import Currency


@dataclass(frozen=True)
class Ranked:
    """Rows of lists, and the orders of them: name -> score."""

    rows: DataFrame
    rankers: Mapping[str, Column]


@dataclass(frozen=True)
class PairedSums:
    """Block sums of every order, the currency of engagement, and its metric."""

    sums: BlockSums
    currency: Currency
    engagement: str
    examination: list[float]


def sum_paired(
    served: Ranked, shown: Ranked, queries: DataFrame, weights: Mapping[str, Weights], tree: Conf
) -> PairedSums:
    """Sum the relevance of the lists as served, and the engagement of the pages shown in the
    currency of conf.

    Args:
        served: candidates of validation queries with `grade` and `label_source`.
        shown: validation rows with engagement labels, position and propensity.
        queries: the table queries.
        weights: engagement weights by region; conf's for the others.
    """
    e = tree.evaluation
    blocked = with_block(queries, tree.seed, e.blocks)
    curve = find_examination(shown.rows, e)
    lists = Yardsticks(served.rankers, weights, tree.value.weights, curve, e)
    pages = Yardsticks(shown.rankers, weights, tree.value.weights, curve, e)
    rows = shown.rows.transform(blocked)
    currency = pages.choose_currency(pages.measure_samples(rows))
    metric = engagement_metric(currency, e.k)
    of_lists = lists.list_served_metrics(all_labels=True, with_truth=False)
    sums = sum_blocks(
        lists.sum_lists(served.rows.transform(blocked), of_lists),
        pages.sum_pages(rows, [pages.make_engagement_metric(currency, metric)]),
    )
    return PairedSums(BlockSums(sums.toPandas(), e.blocks), currency, metric, curve)
