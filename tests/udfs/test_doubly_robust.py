"""The worker that sums doubly robust engagement by query, against the yardstick on all rows."""

from collections import defaultdict

import numpy as np
import pyarrow as pa
import pytest

from model.evaluation.engagement import Shown, measure_doubly_robust
from model.evaluation.list_sums import COUNTS
from udfs import list_sums
from udfs.doubly_robust import make_robust_summer

CURVE, REWARD, CAP, K = [1.0, 0.6, 0.3], 0.4, 20.0, 3
PAGES, ITEMS = 30, 6


def draw_table() -> pa.Table:
    """30 pages of 4 of 6 items, of queries 0 to 6; page 3 lacks a propensity, page 5 a gain, and
    query 6 has one page."""
    draw = np.random.default_rng(11)
    items = np.argsort(draw.random((PAGES, ITEMS)), axis=1)[:, :4].ravel()
    page = np.repeat(np.arange(PAGES), 4)
    query = np.where(page == 29, 6, page % 6)
    propensity = draw.uniform(0.02, 0.9, len(page))
    gain = draw.integers(0, 3, len(page)) * 0.5
    table = pa.table(
        {
            "unit": [f"q{q}" for q in query],
            "query_id": [f"q{q}" for q in query],
            "region": ["us" if q else "fr" for q in query],
            "block": pa.array(query, pa.int32()),
            "page": [f"p{p:02}" for p in page],
            "item_id": [f"i{i}" for i in items],
            "position": pa.array(np.tile([1, 2, 3, 4], PAGES), pa.int32()),
            "gain": pa.array(gain, mask=np.arange(len(page)) == 21),
            "propensity": pa.array(propensity, mask=np.arange(len(page)) == 13),
            "good": pa.array(gain + draw.normal(size=len(page))),
            "bad": pa.array(-gain),
        }
    )
    return table.sort_by([("unit", "ascending"), ("page", "ascending")])


def sum_table(table: pa.Table, size: int) -> dict[tuple[str, str], list[float]]:
    """Sum in batches of `size` rows: total, under and COUNTS by query and ranker."""
    summer = make_robust_summer(["good", "bad"], "m", CURVE, REWARD, CAP, K)
    sums: dict[tuple[str, str], list[float]] = {}
    for batch in summer(table.to_batches(max_chunksize=size)):
        for row in batch.to_pylist():
            assert (row["metric"], row["is_mean"]) == ("m", False)
            assert (row["region"], row["block"]) == (
                "us" if row["block"] else "fr",
                int(row["query_id"][1:]),
            )
            key = (row["query_id"], row["ranker"])
            assert key not in sums  # a query is never cut
            sums[key] = [row[name] for name in ("total", "under", *COUNTS)]
    return sums


def measure_by_query(table: pa.Table, ranker: str) -> dict[str, tuple[float, float]]:
    """Measure all rows at once; the rows of incomplete pages have no propensity."""
    rows = table.to_pandas()
    rows["complete"] = rows["gain"].notna() & rows["propensity"].notna()
    codes = {name: rows[name].astype("category").cat.codes for name in ("page", "query_id")}
    shown = Shown(
        page=codes["page"].to_numpy(np.int64),
        query=codes["query_id"].to_numpy(np.int64),
        pair=(rows["query_id"] + rows["item_id"]).astype("category").cat.codes.to_numpy(np.int64),
        position=rows["position"].to_numpy(np.int64),
        gains=rows["gain"].fillna(0.0).to_numpy(),
        propensity=np.where(rows["complete"], rows["propensity"], -1.0),
        k=K,
    )
    reward = np.full(len(rows), REWARD)
    found = measure_doubly_robust(shown, rows[ranker].to_numpy(), np.asarray(CURVE), reward, CAP)
    sums: dict[str, np.ndarray] = defaultdict(lambda: np.zeros(2))
    for query, *both in zip(rows["query_id"], found.numerator, found.denominator, strict=True):
        sums[query] += both
    return {query: tuple(both) for query, both in sums.items()}


@pytest.mark.parametrize("rows_at_once", [1, 50, 131_072])
def test_sums_are_those_of_all_rows_wherever_the_batches_end(
    rows_at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(list_sums, "_ROWS", rows_at_once)
    table = draw_table()
    found = sum_table(table, 7)
    for ranker in ("good", "bad"):
        expected = measure_by_query(table, ranker)
        assert len(expected) == 7
        for query, both in expected.items():
            assert found[query, ranker][:2] == pytest.approx(both)


def test_pages_that_are_left_out_are_counted_by_reason() -> None:
    found = sum_table(draw_table(), 1000)
    counts = {query: dict(zip(COUNTS, sums[2:], strict=True)) for (query, _), sums in found.items()}
    assert counts["q0"] == {"lists": 5, "short": 0, "masked": 0, "no_positive": 0}
    assert [counts[q]["masked"] for q in ("q3", "q5")] == [1, 1]
    assert counts["q6"] == {"lists": 0, "short": 1, "masked": 0, "no_positive": 0}
    assert found["q6", "good"][:2] == [0.0, 0.0]
