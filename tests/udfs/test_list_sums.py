"""The worker that sums lists, without Spark: batches cut anywhere, nulls, keys of queries."""

from collections import defaultdict

import numpy as np
import pyarrow as pa
import pytest

from model.evaluation.list_sums import ListMetric
from udfs import list_sums
from udfs.list_sums import make_list_summer

METRICS = (ListMetric("all", "g"), ListMetric("known", "g", "known"))


def draw_table() -> pa.Table:
    """40 lists of 1 to 6 items of 13 queries, ordered by list."""
    draw = np.random.default_rng(3)
    unit = np.repeat(np.arange(40), draw.integers(1, 7, 40))
    missing = draw.random((2, len(unit))) < 0.1
    return pa.table(
        {
            "unit": [f"u{u:02}" for u in unit],
            "query_id": [f"q{u % 13}" for u in unit],
            "region": ["us" if u % 13 else "fr" for u in unit],
            "block": pa.array(unit % 13, pa.int32()),
            "gain": pa.array(draw.integers(0, 3, len(unit)) * 1.0, mask=missing[0]),
            "score": pa.array(draw.integers(0, 3, len(unit)) * 1.0, mask=missing[1]),
        }
    )


def sum_table(table: pa.Table, size: int) -> dict[tuple[str, ...], np.ndarray]:
    """Sum in batches of `size` rows; the parts of a query are added."""
    summer = make_list_summer(["r"], ["g"], METRICS, [1.0, 0.5])
    sums: dict[tuple[str, ...], np.ndarray] = defaultdict(lambda: np.zeros(6))
    for batch in summer(table.to_batches(max_chunksize=size)):
        for row in batch.to_pylist():
            assert row["is_mean"]
            key = tuple(str(row[k]) for k in ("block", "region", "query_id", "ranker", "metric"))
            sums[key] += [row[name] for name in list_sums.SUM_COLUMNS]
    return dict(sums)


@pytest.mark.parametrize("rows_at_once", [1, 7, 131_072])
def test_lists_stay_whole_wherever_the_batches_end(
    rows_at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = draw_table()
    expected = sum_table(table, table.num_rows)
    monkeypatch.setattr(list_sums, "_ROWS", rows_at_once)
    found = sum_table(table, 5)
    assert found.keys() == expected.keys() and len(found) == 26
    for key, sums in expected.items():
        assert found[key] == pytest.approx(sums)
    assert {(block, region) for block, region, *_ in found} == {
        (str(b), "us" if b else "fr") for b in range(13)
    }


def test_a_score_that_is_null_ranks_last() -> None:
    table = pa.table(
        {
            "unit": ["u", "u"],
            "query_id": ["q", "q"],
            "region": ["us", "us"],
            "block": pa.array([0, 0], pa.int32()),
            "gain": [1.0, 0.0],
            "score": pa.array([None, -5.0], pa.float64()),
        }
    )
    sums = sum_table(table, 2)
    assert sums["0", "us", "q", "r", "all"][0] == 0.5


def test_a_page_that_two_queries_share_is_a_list_of_each() -> None:
    table = pa.table(
        {
            "unit": ["u", "u", "u"],
            "query_id": ["a", "b", "b"],
            "region": ["us", "fr", "fr"],
            "block": pa.array([0, 1, 1], pa.int32()),
            "gain": [1.0, 0.0, 1.0],
            "score": [1.0, 2.0, 1.0],
        }
    )
    sums = {key[:3]: values for key, values in sum_table(table, 3).items() if key[-1] == "all"}
    assert sums["0", "us", "a"].tolist() == [0, 0, 0, 1, 0, 0]  # one item alone
    assert sums["1", "fr", "b"].tolist() == [0.5, 1, 1, 0, 0, 0]


def test_no_rows_give_no_sums() -> None:
    assert sum_table(draw_table().slice(0, 0), 5) == {}
