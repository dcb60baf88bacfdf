"""Sums the doubly robust engagement of queries in Spark's Python workers."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa

from model.arrays import Floats, Ints
from model.evaluation.engagement import Shown, measure_doubly_robust
from model.evaluation.list_sums import COUNTS
from udfs.list_sums import KEYS, SumBatches, cut_between_lists, encode_column, read_score

PAGE_COLUMNS = ("page", "item_id", "position", "gain", "propensity")
"""Columns of the rows after the KEYS; the ranker's scores follow."""


def make_robust_summer(
    rankers: Sequence[str],
    metric: str,
    curve: Sequence[float],
    reward: float,
    cap: float,
    k: int,
) -> SumBatches:
    """Make what sums `measure_doubly_robust`, for `mapInArrow` on rows of pages ordered by `unit`.

    A unit is some pages of a query, and each page is judged by the others of its unit. The rows
    have the KEYS, PAGE_COLUMNS, and a double for each ranker, in their order. A page with a gain or
    a propensity that is null is left out (`masked`), as is the only page of a unit (`short`).

    Args:
        metric: name that the sums get.
        curve: relative examination by position.
        reward: gain that the reward model expects of any item at position 1.
        cap: largest inverse propensity.
        k: cut-off of the discounts (ranks).
    """
    examination = np.asarray(curve, np.float64)

    def sum_batches(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for table in cut_between_lists(batches):
            yield from _sum_units(table, rankers, metric, examination, reward, cap, k)

    return sum_batches


def _sum_units(
    table: pa.Table,
    rankers: Sequence[str],
    metric: str,
    examination: Floats,
    reward: float,
    cap: float,
    k: int,
) -> Iterator[pa.RecordBatch]:
    shown, size = _read_pages(table, k)
    _, first_rows = np.unique(shown.query, return_index=True)
    counts = _count_pages(shown, size)
    of_query = table.select(["block", "region", "query_id"]).take(pa.array(first_rows))
    rewards = np.full(len(shown.page), reward)
    given = table.columns[len(KEYS) + len(PAGE_COLUMNS) :]
    for ranker, column in zip(rankers, given, strict=True):
        scores = read_score(column)
        measured = measure_doubly_robust(shown, scores, examination, rewards, cap)
        columns = {
            **{name: of_query.column(name) for name in ("block", "region", "query_id")},
            "ranker": pa.array([ranker] * size),
            "metric": pa.array([metric] * size),
            "is_mean": pa.array([False] * size),
            "total": pa.array(np.bincount(shown.query, measured.numerator, size)),
            "under": pa.array(np.bincount(shown.query, measured.denominator, size)),
            **{name: pa.array(counts[name]) for name in COUNTS},
        }
        yield from pa.table(columns).to_batches()


def _read_pages(table: pa.Table, k: int) -> tuple[Shown, int]:
    """Read the pages, the unit in the place of the query; and the number of units."""
    query, units = encode_column(table.column("unit"))
    page, pages = encode_column(table.column("page"))
    item, items = encode_column(table.column("item_id"))
    gain = table.column("gain").to_numpy()
    propensity = table.column("propensity").to_numpy()
    is_given = np.isfinite(gain) & np.isfinite(propensity)
    return (
        Shown(
            page=query * len(pages) + page,
            query=query,
            pair=query * len(items) + item,
            position=table.column("position").to_numpy().astype(np.int64),
            gains=np.where(is_given, gain, 0.0),
            propensity=np.where(is_given, propensity, 0.0),
            k=k,
        ),
        len(units),
    )


def _count_pages(shown: Shown, size: int) -> dict[str, Ints]:
    """Count the pages of each unit that are used, and those that are not, by reason."""
    rows = shown.pages.any_row
    query, used = shown.query[rows], shown.randomised[rows]
    pages = np.bincount(query, used, size).astype(np.int64)
    nothing = np.zeros(size, np.int64)
    return {
        "lists": np.where(pages > 1, pages, 0),
        "short": np.where(pages == 1, 1, 0),
        "masked": np.bincount(query, ~used, size).astype(np.int64),
        "no_positive": nothing,
    }
