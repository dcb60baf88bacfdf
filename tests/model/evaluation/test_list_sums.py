"""Sums by query against the functions of one list, and by hand."""

import numpy as np
import pandas as pd
import pytest

from model.arrays import Floats
from model.evaluation.engagement import (
    Shown,
    measure_debiased,
    measure_logged,
    measure_off_policy,
    measure_true,
)
from model.evaluation.list_sums import COUNTS, ListMetric, ListRows, sum_by_query
from model.evaluation.metrics import (
    compute_dcg,
    compute_exponential_gains,
    compute_log_discounts,
    compute_ndcg,
)
from model.evaluation.relevance import CLEAR_GRADES, GradedLists, measure_clear_pairs

K = 3
LOG = compute_log_discounts(K)


def sum_rows(
    unit: list[int] | Floats,
    gain: list[float] | Floats,
    metric: ListMetric,
    discounts: Floats = LOG,
    query: list[int] | None = None,
    **scores: Floats,
) -> pd.DataFrame:
    units = np.asarray(unit, np.int64)
    queries = units if query is None else np.asarray(query, np.int64)
    ranked = scores or {"r": np.zeros(len(units))}
    rows = ListRows(units, queries, {"g": np.asarray(gain, np.float64)}, ranked)
    return pd.concat(list(sum_by_query(rows, [metric], discounts)), ignore_index=True)


def draw_lists(seed: int) -> tuple[Floats, Floats, dict[str, Floats]]:
    """Lists of one to eight items in any order, grades 0 to 2 or -1, scores with ties."""
    draw = np.random.default_rng(seed)
    unit = draw.permutation(np.repeat(np.arange(25), draw.integers(1, 9, 25)))
    grade = draw.choice([-1.0, 0.0, 1.0, 2.0], len(unit))
    return unit, grade, {n: draw.integers(0, 4, len(unit)) * 1.0 for n in ("a", "b")}


def test_ndcg_is_that_of_the_one_list_function() -> None:
    unit, grade, scores = draw_lists(4)
    gain = compute_exponential_gains(np.maximum(grade, 0.0))
    found = sum_rows(unit, gain, ListMetric("m", "g"), query=list(unit // 2), **scores)
    for ranker, score in scores.items():
        for query in np.unique(unit // 2):
            lists = [u for u in np.unique(unit) if u // 2 == query]
            each = [compute_ndcg(score[unit == u], gain[unit == u], K) for u in lists]
            known = [value for value in each if value is not None]
            row = found[(found["ranker"] == ranker) & (found["query"] == query)].iloc[0]
            assert row["total"] == pytest.approx(sum(known))
            assert row["under"] == row["lists"] == len(known)
            assert row[list(COUNTS)].sum() == len(lists)


def test_lists_left_out_say_why() -> None:
    unit, gain = [1, 2, 2, 3, 3, 4, 4], [1.0, 0.0, 0.0, 1.0, np.nan, 1.0, 0.0]
    ndcg = sum_rows(unit, gain, ListMetric("m", "g"))
    assert ndcg[list(COUNTS)].to_numpy().tolist() == [
        [0, 1, 0, 0],  # one item
        [0, 0, 0, 1],  # no gain
        [0, 0, 1, 0],  # a gain that is not known yet
        [1, 0, 0, 0],
    ]
    assert ndcg["under"].tolist() == [0, 0, 0, 1]
    assert (ndcg["total"] > 0).tolist() == [False, False, False, True]
    ratio = sum_rows(unit, gain, ListMetric("m", "g", measure="ratio"))
    assert ratio["lists"].tolist() == [1, 0, 0, 1]
    assert ratio["under"].tolist() == [1.0, 0.0, 0.0, 1.0]
    assert ratio["masked"].tolist() == [0, 0, 1, 0]


def test_a_list_of_known_gains_leaves_the_other_items_out() -> None:
    """Of a, b and c the gain of a, which ranks first, is not known."""
    found = sum_rows(
        [7, 7, 7],
        [np.nan, 0.3, 0.6],
        ListMetric("m", "g", "known"),
        r=np.asarray([3.0, 2.0, 1.0]),
    )
    expected = (0.3 + 0.6 * LOG[1]) / (0.6 + 0.3 * LOG[1])
    assert found["total"].tolist() == pytest.approx([expected])
    assert (found["lists"].tolist(), found["masked"].tolist()) == ([1], [0])


@pytest.mark.parametrize("members", ["mixed", "pooled"])
def test_kinds_of_graded_lists(members: str) -> None:
    unit, grade, scores = draw_lists(5)
    gain = np.where(grade < 0, np.nan, compute_exponential_gains(np.maximum(grade, 0.0)))
    kind = {"mixed": "judged_mixed", "pooled": "pooled"}[members]
    metric = ListMetric("m", "g", members)  # type: ignore[arg-type]
    found = sum_rows(unit, gain, metric, **scores)
    for ranker, score in scores.items():
        of_ranker = found[found["ranker"] == ranker]
        expected = GradedLists.from_grades(kind, unit, grade, K).measure_ndcg(score)
        assert of_ranker["lists"].sum() == expected.effective
        assert of_ranker["total"].sum() / of_ranker["under"].sum() == pytest.approx(expected.value)


def test_clear_pairs() -> None:
    unit, grade, scores = draw_lists(6)
    metric = ListMetric("m", "g", "known", "clear_pairs")
    found = sum_rows(unit, np.where(grade < 0, np.nan, grade), metric, **scores)
    for ranker, score in scores.items():
        of_ranker = found[found["ranker"] == ranker]
        expected = measure_clear_pairs(unit, grade, CLEAR_GRADES, score)
        assert of_ranker["under"].sum() == expected.effective > 0
        assert of_ranker["total"].sum() / of_ranker["under"].sum() == pytest.approx(expected.value)
        assert of_ranker["lists"].sum() == (of_ranker["under"] > 0).sum()


def test_ratios_are_those_of_the_yardsticks() -> None:
    draw = np.random.default_rng(21)
    page = np.repeat(np.arange(80), draw.integers(1, 7, 80))
    position = np.concatenate([np.arange(n) + 1 for n in np.bincount(page)])
    gain = (draw.random(len(page)) < 0.3) * draw.integers(1, 4, len(page)).astype(float)
    known = (draw.random(80) < 0.7)[page]
    propensity = np.where(known, draw.choice([0.01, 0.1, 0.8], len(page)), np.nan)
    score = draw.integers(0, 4, len(page)).astype(float)
    seen = np.asarray([1.0, 0.5, 0.2])
    shown = Shown(page, page % 9, np.arange(len(page)), position, gain, propensity, K)
    weighed = {
        "debiased": (gain / seen[np.minimum(position, 3) - 1], measure_debiased, (seen, 0.01)),
        "off_policy": (gain * np.minimum(1 / propensity, 50.0), measure_off_policy, (50.0,)),
    }
    for gains, measure, bounds in weighed.values():
        metric = ListMetric("m", "g", measure="ratio")
        found = sum_rows(page, gains, metric, query=list(page % 9), r=score)
        expected = measure(shown, score, *bounds)  # type: ignore[operator]
        assert found["query"].tolist() == list(range(9))
        assert found["total"].to_numpy() == pytest.approx(np.bincount(page % 9, expected.numerator))
        assert found["under"].to_numpy() == pytest.approx(
            np.bincount(page % 9, expected.denominator)
        )


def test_means_over_pages_are_those_of_the_yardsticks() -> None:
    """A head query's 60 pages count as much as the one page of another query."""
    draw = np.random.default_rng(22)
    page = np.repeat(np.arange(80), draw.integers(1, 7, 80))
    query = np.maximum(page - 60, 0)
    gain = (draw.random(len(page)) < 0.5) * 1.0
    truth, score = draw.random(len(page)), draw.integers(0, 4, len(page)).astype(float)
    nothing = np.full(len(page), np.nan)
    shown = Shown(page, query, np.arange(len(page)), page, gain, nothing, K)
    for gains, measured in (
        (gain, measure_logged(shown, score)),
        (truth, measure_true(shown, score, truth)),
    ):
        found = sum_rows(page, gains, ListMetric("m", "g"), query=list(query), r=score)
        counted = found[found["lists"] > 0]
        assert measured.value == pytest.approx((counted["total"] / counted["under"]).mean())
        assert measured.denominator.sum() == pytest.approx(len(counted))
        assert measured.effective == counted["lists"].sum() > len(counted)


def test_mean_gain_counts_every_list_and_takes_any_discount() -> None:
    unit, grade, scores = draw_lists(8)
    gain, seen = np.maximum(grade, 0.0), np.asarray([1.0, 0.6, 0.1])
    found = sum_rows(unit, gain, ListMetric("m", "g", measure="mean_gain"), seen, r=scores["a"])
    for row in found.itertuples():
        rows = unit == row.query
        assert row.total == pytest.approx(compute_dcg(scores["a"][rows], gain[rows], seen))
        assert (row.under, row.lists) == (1.0, 1)


def test_equal_scores_have_the_mean_over_all_orders() -> None:
    metric, discounts = ListMetric("m", "g", measure="mean_gain"), np.asarray([1.0, 0.5])
    found = sum_rows([1, 1, 1], [3.0, 0.0, 0.0], metric, discounts)
    assert found["total"].tolist() == pytest.approx([3.0 * (1.0 + 0.5 + 0.0) / 3])


def test_a_ranker_that_a_metric_says_nothing_of_has_no_row() -> None:
    metric = ListMetric("m", "g", without=frozenset({"b"}))
    scores = {name: np.zeros(2) for name in ("a", "b")}
    assert set(sum_rows([1, 1], [1.0, 0.0], metric, **scores)["ranker"]) == {"a"}
