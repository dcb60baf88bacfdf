"""NDCG of many lists at once: the one-list figures, and two outside implementations."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.evaluation.lists import RankedLists
from model.evaluation.metrics import compute_exponential_gains, compute_ndcg

ROWS = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 4), st.integers(0, 2)), min_size=1, max_size=30
)


@given(ROWS, st.integers(1, 5))
def test_every_list_has_the_figure_of_the_one_list_function(
    rows: list[tuple[int, int, int]], k: int
) -> None:
    codes, scores, gains = (np.asarray(c, np.float64) for c in zip(*rows, strict=True))
    found = RankedLists.from_codes(codes.astype(np.int64), gains, k).compute_ndcg(scores)
    for code, value in zip(np.unique(codes), found, strict=True):
        expected = compute_ndcg(scores[codes == code], gains[codes == code], k)
        assert np.isnan(value) if expected is None else value == pytest.approx(expected)


def test_a_list_by_hand() -> None:
    lists = RankedLists.from_codes(np.asarray([7, 7, 7]), np.asarray([3.0, 0.0, 1.0]), 2)
    best = 3 + 1 / np.log2(3)
    assert lists.compute_ndcg(np.asarray([0.1, 0.9, 0.5])) == pytest.approx(
        [(1 / np.log2(3)) / best]
    )


def test_no_rows_give_no_figures() -> None:
    assert (
        len(
            RankedLists.from_codes(np.zeros(0, np.int64), np.zeros(0), 10).compute_ndcg(np.zeros(0))
        )
        == 0
    )


def test_scikit_learn_gives_the_same_with_ties() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(3)
    codes = np.repeat(np.arange(20), 12)
    grades = rng.integers(0, 3, len(codes)).astype(float)
    scores = rng.integers(0, 6, len(codes)).astype(float)
    found = RankedLists.from_codes(codes, compute_exponential_gains(grades), 10).compute_ndcg(
        scores
    )
    for code in range(20):
        rows = codes == code
        outside = metrics.ndcg_score(
            [compute_exponential_gains(grades[rows])], [scores[rows]], k=10
        )
        assert found[code] == pytest.approx(outside)


def test_ir_measures_gives_the_same() -> None:
    ir = pytest.importorskip("ir_measures")
    rng = np.random.default_rng(4)
    codes = np.repeat(np.arange(10), 15)
    grades = rng.integers(0, 3, len(codes))
    scores = rng.random(len(codes))
    items = [f"d{i}" for i in range(len(codes))]
    found = RankedLists.from_codes(codes, grades.astype(float), 10).compute_ndcg(scores)
    qrels = [ir.Qrel(str(q), d, int(g)) for q, d, g in zip(codes, items, grades, strict=True)]
    run = [ir.ScoredDoc(str(q), d, float(s)) for q, d, s in zip(codes, items, scores, strict=True)]
    # Gains as they are: ir-measures' gain of NDCG is linear in the label.
    outside = {m.query_id: m.value for m in ir.iter_calc([ir.nDCG @ 10], qrels, run)}
    assert found == pytest.approx([outside[str(q)] for q in range(10)])
