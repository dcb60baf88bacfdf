"""How well a labeler orders the items of one query, which is what a ranker uses it for.

A rank correlation over all pairs also rewards knowing which queries have good items at all.
"""

import numpy as np
from numpy.typing import NDArray

from model.evaluation.lists import RankedLists
from model.evaluation.measured import mean_ndcg
from model.evaluation.metrics import exponential_gain, pearson
from model.evaluation.relevance import CLEAR_GRADES, clear_pairs
from model.labelers.base import Floats

Ints = NDArray[np.int64]
_K = 10


def within_query(
    expected: Floats, level: Floats, query: Ints, apart: float = CLEAR_GRADES
) -> dict[str, float]:
    """Figures of a query's items among each other; nan where no query says anything.

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
    lists = RankedLists.of(query, exponential_gain(level), _K)
    return {
        "within_query_correlation": _correlation(expected, level, query),
        f"ndcg@{_K}": mean_ndcg(lists, expected).value,
        "clear_pairs": clear_pairs(query, level, apart, expected).value,
    }


def _correlation(expected: Floats, level: Floats, query: Ints) -> float:
    order = np.argsort(query, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(query[order])) + 1)
    told = [rows for rows in parts if len(rows) > 1 and np.ptp(level[rows]) > 0]
    if not told:
        return float("nan")
    found = np.nan_to_num([pearson(expected[rows], level[rows]) for rows in told])
    return float(np.average(found, weights=[len(rows) for rows in told]))
