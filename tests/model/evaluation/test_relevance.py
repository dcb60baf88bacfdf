"""Relevance over the kinds of lists, by hand."""

import numpy as np
import pytest

from model.evaluation.relevance import GradedLists, measure_clear_pairs

# Query 0: a highly relevant, an irrelevant and an unjudged item; query 1: two relevant items;
# query 2: nothing relevant.
QUERY = np.asarray([0, 0, 0, 1, 1, 2, 2])
GRADE = np.asarray([2.0, 0.0, -1.0, 1.0, 2.0, 0.0, -1.0])
SCORES = np.asarray([2.0, 1.0, 3.0, 1.0, 2.0, 1.0, 2.0])
SECOND = 1 / np.log2(3)


def found(kind: str) -> GradedLists:
    return GradedLists.from_grades(kind, QUERY, GRADE, 10)


def test_judged_lists_hold_the_judged_items() -> None:
    lists = found("judged")
    assert lists.rows.tolist() == [True, True, False, True, True, True, False]
    assert lists.measure_ndcg(SCORES).value == pytest.approx(1.0)
    assert lists.measure_ndcg(-SCORES).value == pytest.approx(
        (SECOND + (1 + 3 * SECOND) / (3 + SECOND)) / 2
    )


def test_mixed_lists_hold_a_relevant_and_an_irrelevant_item() -> None:
    lists = found("judged_mixed")
    assert lists.rows.tolist() == [True, True] + [False] * 5
    assert lists.measure_random().value == pytest.approx((1 + SECOND) / 2)


def test_pooled_lists_take_the_unjudged_for_irrelevant() -> None:
    lists = found("pooled")
    assert lists.rows.tolist() == [True] * 5 + [False] * 2
    assert lists.measure_ndcg(SCORES).value == pytest.approx((SECOND + 1) / 2)
    assert lists.measure_random().value == pytest.approx(
        ((1 + SECOND + 0.5) / 3 + (1 + SECOND) / 2 * 4 / (3 + SECOND)) / 2
    )


def test_condensed_lists_leave_the_unjudged_out() -> None:
    lists = found("condensed")
    assert lists.rows.tolist() == [True, True, False, True, True, False, False]
    assert lists.measure_ndcg(SCORES).value == pytest.approx(1.0)


def test_distance_is_the_share_of_the_way_from_random_to_best() -> None:
    lists = found("pooled")
    assert lists.measure_distance(np.zeros(7)).value == pytest.approx(0.0)
    assert lists.measure_distance(np.maximum(GRADE, 0)).value == pytest.approx(1.0)
    x, random = lists.measure_ndcg(SCORES).value, lists.measure_random().value
    assert lists.measure_distance(SCORES).value == pytest.approx((x - random) / (1 - random))


def test_random_is_the_mean_over_random_orders() -> None:
    lists, rng = found("pooled"), np.random.default_rng(5)
    drawn = [lists.measure_ndcg(rng.random(7)).value for _ in range(4_000)]
    assert np.mean(drawn) == pytest.approx(lists.measure_random().value, abs=0.005)


def test_clear_pairs_are_two_grades_apart() -> None:
    query = np.asarray([0, 0, 0, 1, 1, 0])
    grade = np.asarray([2.0, 0.0, 1.0, 0.0, 2.0, 0.0])
    scores = np.asarray([1.0, 0.0, 9.0, 5.0, 4.0, 1.0])
    pairs = measure_clear_pairs(query, grade, 2.0, scores)
    assert pairs.value == pytest.approx((1 + 0.5 + 0) / 3)  # right, tied, wrong
    assert pairs.denominator.tolist() == [2, 0, 0, 0, 1, 0]
    assert pairs.share == 1.0


def test_pairs_of_ratings_leave_out_close_ones_and_the_unjudged() -> None:
    rating = np.asarray([3.0, 1.5, 1.6, -1.0])
    pairs = measure_clear_pairs(
        np.zeros(4, np.int64), rating, 1.5, np.asarray([1.0, 0.0, 2.0, 3.0])
    )
    assert pairs.denominator.sum() == 1
    assert pairs.value == 1.0


def test_thirds_of_a_rating_lose_no_pair_and_queries_without_a_judged_item_do_not_count() -> None:
    query = np.asarray([0, 0, 1, 1])
    rating = np.asarray([2 + 2 / 3, 1 + 1 / 6, -1.0, -1.0])
    assert rating[0] - rating[1] < 1.5  # in floating point
    pairs = measure_clear_pairs(query, rating, 1.5, np.asarray([1.0, 0.0, 0.0, 0.0]))
    assert (pairs.value, pairs.share) == (1.0, 1.0)


def test_a_partial_match_is_relevant_and_an_unjudged_item_is_not_irrelevant() -> None:
    query, grade = np.asarray([0, 0, 1, 1]), np.asarray([1.0, 0.0, 2.0, -1.0])
    rows = {
        kind: GradedLists.from_grades(kind, query, grade, 10).rows.tolist()
        for kind in ("judged_mixed", "pooled")
    }
    assert rows == {"judged_mixed": [True, True, False, False], "pooled": [True] * 4}


def test_a_long_list_has_its_clear_pairs_counted() -> None:
    """20,000 items of one query: 100 million pairs or more, that no memory would hold."""
    draw = np.random.default_rng(7)
    grade = draw.choice([-1.0, 0.0, 1.0, 2.0], 20_000)
    score = draw.integers(0, 50, len(grade)).astype(float)
    found = measure_clear_pairs(np.zeros(len(grade), np.int64), grade, 2.0, score)
    high, low = score[grade == 2.0], np.sort(score[grade == 0.0])
    below, up_to = np.searchsorted(low, high), np.searchsorted(low, high, "right")
    assert found.denominator.sum() == len(high) * len(low)
    assert found.numerator.sum() == (below + up_to).sum() / 2


def test_clear_pairs_of_ratings_are_those_of_every_pair() -> None:
    draw = np.random.default_rng(8)
    query = draw.integers(0, 6, 80)
    rating = draw.choice([-1.0, 0.0, 1 / 3, 0.5, 5 / 6, 4 / 3, 1.5, 2.0], 80)
    score = draw.integers(0, 5, 80).astype(float)
    found = measure_clear_pairs(query, rating, 1.5, score)
    pairs = [
        (a, b)
        for a in range(80)
        for b in range(80)
        if query[a] == query[b] and rating[b] >= 0 and rating[a] - rating[b] > 1.5 - 1e-6
    ]
    right = np.zeros(80)
    for a, b in pairs:
        right[a] += float(score[a] > score[b]) + 0.5 * float(score[a] == score[b])
    assert found.numerator == pytest.approx(right)
    assert found.denominator == pytest.approx(np.bincount([a for a, _ in pairs], minlength=80))
