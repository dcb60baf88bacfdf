"""How well a labeler orders the items of one query, which is what a ranker uses it for.

A rank correlation over all pairs would also reward knowing which queries have good items at all."""

import numpy as np

from model.arrays import Floats, Ints
from model.evaluation.lists import RankedLists
from model.evaluation.measured import measure_ndcg
from model.evaluation.metrics import compute_exponential_gains, compute_pearson
from model.evaluation.relevance import CLEAR_GRADES, measure_clear_pairs

_K = 10
"""Cut-off of the NDCG (ranks), as in the evaluation of rankers."""


def measure_within_query(
    expected: Floats, level: Floats, query: Ints, apart: float = CLEAR_GRADES
) -> dict[str, float]:
    """Measure how a query's items are ordered among each other; nan where no query says anything.

    within_query_correlation: mean over queries, weighted by their pairs, of the correlation of the
    expected grade and the level (pearson; a query where one does not vary counts 0 for a constant
    prediction and not at all for a constant level). ndcg@10: mean NDCG, gains 2^level - 1 of the
    grade. clear_pairs: share of pairs at least `apart` in level in the right order.

    Args:
        expected: [N] expected grade that the labeler gives.
        level: [N] grade, or grade points from the raters' mean (0 to 2).
        query: [N] code of the query.
        apart: in units of the level.
    """
    lists = RankedLists.from_codes(query, compute_exponential_gains(level), _K)
    return {
        "within_query_correlation": _average_correlation(expected, level, query),
        f"ndcg@{_K}": measure_ndcg(lists, expected).value,
        "clear_pairs": measure_clear_pairs(query, level, apart, expected).value,
    }


def _average_correlation(expected: Floats, level: Floats, query: Ints) -> float:
    order = np.argsort(query, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(query[order])) + 1)
    informative = [rows for rows in parts if len(rows) > 1 and np.ptp(level[rows]) > 0]
    if not informative:
        return float("nan")
    correlations = np.nan_to_num(
        [compute_pearson(expected[rows], level[rows]) for rows in informative]
    )
    return float(np.average(correlations, weights=[len(rows) for rows in informative]))
