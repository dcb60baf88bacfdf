"""Rows of the metrics table from block sums and histograms."""

from typing import Any

import pandas as pd

from model.evaluation.block_sums import ALL, BlockSums, Cell
from model.evaluation.bootstrap import BlockBootstrap, Estimate
from model.evaluation.reliability import estimate_task_metrics
from model.spec import FUNNEL

NO_RANKING = "model"


def build_ranking_rows(
    sums: BlockSums, bootstrap: BlockBootstrap, reference: str
) -> list[dict[str, Any]]:
    """Build one row per ranker, metric and region with a query, and its difference from
    `reference`.

    A sum of doubly robust gains may fall below 0 by chance: such a region has no figure. A list is
    left out for its labels, never for its order, so all rankers of a metric stand on the same
    queries and their differences are paired query by query.
    """
    return [
        _build_row(region, ranker, metric, cell, sums.get(region, reference, metric), bootstrap)
        | {"reference": reference if ranker != reference else None}
        for region in sums.regions
        for metric in sums.metrics
        for ranker in sums.list_rankers(metric)
        if (cell := sums.get(region, ranker, metric)) is not None
        and cell.query_count
        and cell.denominators.sum() > 0
    ]


def count_left_out(sums: BlockSums) -> dict[str, dict[str, int]]:
    """Count, by metric, the queries and lists behind it and the lists left out by reason."""
    cells = {m: sums.get(ALL, sums.list_rankers(m)[0], m) for m in sums.metrics}
    return {
        m: {"queries": c.query_count, **c.lists}
        for m, c in cells.items()
        if c is not None and any(c.lists.values())
    }


def build_task_rows(
    histogram: pd.DataFrame, queries: pd.DataFrame, bootstrap: BlockBootstrap, groups: int
) -> list[dict[str, Any]]:
    """Build one row per task metric and region of the model's probabilities.

    Args:
        histogram: rows of `features.evaluation.reliability.prediction_histogram`.
        queries: region and the queries of each task, as `queries_by_task` gives them.
        bootstrap: draws of the blocks.
        groups: groups of the calibration error.
    """
    counts = _index_queries(queries)
    parts = [(str(region), part) for region, part in histogram.groupby("region")]
    return [
        _build_figures(region, NO_RANKING, metric, estimate, counts[region][task])
        for region, part in [(ALL, histogram), *parts]
        for task in FUNNEL
        for metric, estimate in estimate_task_metrics(part, task, bootstrap, groups).items()
    ]


def _index_queries(queries: pd.DataFrame) -> dict[str, dict[str, int]]:
    """Index the queries: region -> task -> count, "all" among the regions."""
    tasks = list(FUNNEL)
    by_region = {
        str(region): dict(zip(tasks, map(int, counts), strict=True))
        for region, counts in zip(queries["region"], queries[tasks].to_numpy(), strict=True)
    }
    return by_region | {ALL: {task: int(queries[task].sum()) for task in tasks}}


def _build_row(
    region: str,
    ranker: str,
    metric: str,
    cell: Cell,
    reference: Cell | None,
    bootstrap: BlockBootstrap,
) -> dict[str, Any]:
    row = _build_figures(
        region,
        ranker,
        metric,
        bootstrap.estimate_mean(cell.totals, cell.denominators),
        cell.query_count,
    )
    if reference is None or reference is cell:
        return row
    gap = bootstrap.estimate_difference(cell.totals, reference.totals, cell.denominators)
    return row | {
        "difference": gap.value,
        "difference_low": gap.low,
        "difference_high": gap.high,
    }


def _build_figures(
    region: str, ranker: str, metric: str, estimate: Estimate, queries: int
) -> dict[str, Any]:
    return {
        "region": region,
        "ranker": ranker,
        "metric": metric,
        "value": estimate.value,
        "low": estimate.low,
        "high": estimate.high,
        "queries": queries,
    }
