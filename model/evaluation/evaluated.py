"""Rows of the metrics table from block sums and histograms."""

from typing import Any

import pandas as pd

from model.evaluation.block_sums import ALL, BlockSums, Cell
from model.evaluation.bootstrap import BlockBootstrap, Estimate
from model.evaluation.reliability import task_metrics

NO_RANKING = "model"
TASKS = ("click", "cart", "purchase")


def ranking_rows(
    sums: BlockSums, bootstrap: BlockBootstrap, reference: str
) -> list[dict[str, Any]]:
    """One row per ranker, metric and region with a query, and its difference from `reference`.

    A list is left out for its labels, never for its order, so all rankers of a metric stand on
    the same queries and their differences are paired query by query.
    """
    return [
        _row(region, ranker, metric, cell, sums.get(region, reference, metric), bootstrap)
        | {"reference": reference if ranker != reference else None}
        for region in sums.regions
        for metric in sums.metrics
        for ranker in sums.rankers(metric)
        if (cell := sums.get(region, ranker, metric)) is not None and cell.query_count
    ]


def left_out(sums: BlockSums) -> dict[str, dict[str, int]]:
    """By metric: queries and lists behind it, and lists left out by reason."""
    cells = {m: sums.get(ALL, sums.rankers(m)[0], m) for m in sums.metrics}
    return {m: {"queries": c.query_count, **c.lists} for m, c in cells.items() if c is not None}


def task_rows(
    histogram: pd.DataFrame, queries: pd.DataFrame, bootstrap: BlockBootstrap, groups: int
) -> list[dict[str, Any]]:
    """One row per task metric and region of the model's probabilities.

    Args:
        histogram: rows of `features.evaluation.reliability.prediction_histogram`.
        queries: region and the queries of each task, as `queries_by_task` gives them.
        bootstrap: draws of the blocks.
        groups: groups of the calibration error.
    """
    known = _known_queries(queries)
    parts = [(str(region), part) for region, part in histogram.groupby("region")]
    return [
        _figures(region, NO_RANKING, metric, estimate, known[region][task])
        for region, part in [(ALL, histogram), *parts]
        for task in TASKS
        for metric, estimate in task_metrics(part, task, bootstrap, groups).items()
    ]


def _known_queries(queries: pd.DataFrame) -> dict[str, dict[str, int]]:
    """region -> task -> queries, "all" among the regions."""
    tasks = list(TASKS)
    known = {
        str(region): dict(zip(tasks, map(int, counts), strict=True))
        for region, counts in zip(queries["region"], queries[tasks].to_numpy(), strict=True)
    }
    return known | {ALL: {task: int(queries[task].sum()) for task in tasks}}


def _row(
    region: str,
    ranker: str,
    metric: str,
    cell: Cell,
    reference: Cell | None,
    bootstrap: BlockBootstrap,
) -> dict[str, Any]:
    row = _figures(
        region, ranker, metric, bootstrap.mean(cell.totals, cell.denominators), cell.query_count
    )
    if reference is None or reference is cell:
        return row
    gap = bootstrap.difference(cell.totals, reference.totals, cell.denominators)
    return row | {
        "difference": gap.value,
        "difference_low": gap.low,
        "difference_high": gap.high,
    }


def _figures(
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
