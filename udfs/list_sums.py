"""Sums the metrics of lists by query in Spark's Python workers."""

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from model.arrays import Floats, Ints
from model.evaluation.list_sums import COUNTS, ListMetric, ListRows, sum_by_query

KEYS = ("unit", "query_id", "region", "block")
"""Columns of the rows besides gains and scores: of the list, of its query, its region and block."""
SUM_COLUMNS = ("total", "under", *COUNTS)
"""Columns of `SUMS` that are added up."""
SUMS = (
    "block int, region string, query_id string, ranker string, metric string, is_mean boolean, "
    + "total double, under double, "
    + ", ".join(f"{name} long" for name in COUNTS)
)
"""Schema of what comes back; see `model.evaluation.list_sums.sum_by_query`."""
_ROWS = 131_072
"""Rows that are ranked at once (count): their columns take some tens of MB."""
SumBatches = Callable[[Iterable[pa.RecordBatch]], Iterable[pa.RecordBatch]]


def make_list_summer(
    rankers: Sequence[str],
    gains: Sequence[str],
    metrics: Sequence[ListMetric],
    discounts: Sequence[float],
) -> SumBatches:
    """Make what sums lists, for `mapInArrow` on rows that are ordered by `unit`.

    The rows have the KEYS, then a double for each gain and for each ranker, in their order. A score
    that is null or nan ranks last; a gain that is null or nan is not known. A page that two queries
    share is a list of each. A query's sums come in parts.

    Args:
        discounts: by rank from 1; later ranks count nothing.
    """
    weights = np.asarray(discounts, np.float64)

    def sum_batches(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for rows in cut_between_lists(batches):
            yield from _sum_rows(rows, rankers, gains, metrics, weights)

    return sum_batches


def cut_between_lists(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Bring whole lists together, some _ROWS rows at a time; a longer list stays whole."""
    held: list[pa.RecordBatch] = []
    count = 0
    for batch in batches:
        held.append(batch)
        count += batch.num_rows
        if count < _ROWS:
            continue
        rows = pa.Table.from_batches(held)
        units = rows.column("unit")
        last = pc.sum(pc.equal(units, units[-1])).as_py()
        if last < count:
            yield rows.slice(0, count - last)
        held, count = rows.slice(count - last).to_batches(), last
    if count:
        yield pa.Table.from_batches(held)


def _sum_rows(
    table: pa.Table,
    rankers: Sequence[str],
    gains: Sequence[str],
    metrics: Sequence[ListMetric],
    discounts: Floats,
) -> Iterator[pa.RecordBatch]:
    values = table.columns[len(KEYS) :]
    query, query_ids = encode_column(table.column("query_id"))
    _, first_rows = np.unique(query, return_index=True)
    of_query = table.select(["block", "region"]).take(pa.array(first_rows))
    rows = ListRows(
        encode_column(table.column("unit"))[0] * len(query_ids) + query,
        query,
        {name: gain.to_numpy() for name, gain in zip(gains, values[: len(gains)], strict=True)},
        {name: read_score(s) for name, s in zip(rankers, values[len(gains) :], strict=True)},
    )
    means = {metric.name: metric.is_mean for metric in metrics}
    for sums in sum_by_query(rows, metrics, discounts):
        at = pa.array(sums["query"].to_numpy())
        columns = {
            "block": of_query.column("block").take(at),
            "region": of_query.column("region").take(at),
            "query_id": query_ids.take(at),
            "ranker": pa.array(sums["ranker"]),
            "metric": pa.array(sums["metric"]),
            "is_mean": pa.array(sums["metric"].map(means)),
            **{name: pa.array(sums[name]) for name in SUM_COLUMNS},
        }
        yield from pa.table(columns).to_batches()


def read_score(column: pa.ChunkedArray) -> Floats:
    """Read a ranker's scores [N]; what is null or nan ranks last."""
    score = column.to_numpy()
    return np.where(np.isnan(score), -np.inf, score)


def encode_column(column: pa.ChunkedArray) -> tuple[Ints, pa.Array]:
    """Number the distinct values, in the order of their first rows."""
    encoded = column.combine_chunks().dictionary_encode()
    return encoded.indices.to_numpy().astype(np.int64), encoded.dictionary
