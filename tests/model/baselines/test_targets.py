"""Rows, lists and levels by hand."""

import numpy as np
import pytest

import features.examples.snapshot
from model.baselines import rows as rows_module
from model.baselines.rows import SplitMatrix, read_split
from model.baselines.targets import EngagementLevels, build_judged_lists, group_rows, mix_lists
from model.feed import Snapshot


def _rows() -> SplitMatrix:
    """Pages 7 (rows 0, 2), 5 (rows 1, 3; the cart of row 3 is not known), and row 4 never shown."""
    f = np.float32
    return SplitMatrix(
        features=np.arange(5, dtype=f)[:, None],
        position=np.array([1, 1, 2, 2, 0], f),
        labels={
            "label_click": np.array([0, 1, 1, 0, 0], f),
            "mask_click": np.array([1, 1, 1, 1, 0], f),
            "label_cart": np.array([0, 0, 1, 0, 0], f),
            "mask_cart": np.array([1, 1, 1, 0, 0], f),
            "label_ge_1": np.array([0, 0.5, 0, 1, 1], f),
            "label_ge_2": np.array([0, 0.25, 0, 1, 0], f),
            "mask_relevance": np.array([1, 1, 0, 1, 1], f),
            "weight_relevance": np.array([1, 0.5, 0, 1, 1], f),
        },
        page=np.array([7, 5, 7, 5, -1]),
        unit=np.array([2, 1, 2, 1, 1]),
    )


def test_pages_hold_the_weighted_engagement_of_their_rows() -> None:
    levels = EngagementLevels(("click", "cart"), (0.25, 0.5))
    lists = levels.build_page_lists(_rows())
    assert levels.gains == [0.0, 0.25, 0.5, 0.75]
    assert lists.features[:, 0].tolist() == [0, 2]  # page 5 has an unknown cart
    assert lists.label.tolist() == [0, 3]
    assert lists.groups is not None and lists.groups.tolist() == [2]


def test_judged_lists_hold_grades_in_tenths_by_query() -> None:
    lists = build_judged_lists(_rows())
    assert lists.features[:, 0].tolist() == [1, 3, 4, 0]
    assert lists.label.tolist() == [8, 20, 10, 0]  # .75 lies between .7 and .8
    assert lists.weight.tolist() == [0.5, 1, 1, 1]
    assert lists.groups is not None and lists.groups.tolist() == [3, 1]


def test_mixed_lists_weigh_both_kinds_alike_and_keep_levels_apart() -> None:
    pages = EngagementLevels(("click", "cart"), (0.25, 0.5)).build_page_lists(_rows())
    mixed = mix_lists(pages, build_judged_lists(_rows()), levels=4)
    assert mixed.label.tolist() == [0, 3, 12, 24, 14, 4]
    assert mixed.weight[:2].sum() == pytest.approx(mixed.weight[2:].sum())
    assert mixed.groups is not None and mixed.groups.tolist() == [2, 3, 1]


def test_a_list_longer_than_lightgbm_takes_is_cut() -> None:
    n = 10_003
    cut = group_rows(
        np.zeros((n, 1), np.float32), np.zeros(n, np.int64), np.ones(n), np.zeros(n, int)
    )
    assert cut.groups is not None and cut.groups.tolist() == [10_000, 3]


def test_halves_of_a_hash_become_one_code() -> None:
    columns, half = ["page_high", "page_low"], 1 << 24
    values = np.array([[0, 1, half - 1, -1], [5, 0, half - 1, -1]], np.float32)
    codes = rows_module._read_codes(values, columns, "page_code", rows_module.PAGE_HASH)
    assert codes is not None and codes.tolist() == [5, half, half * half - 1, -1]


def test_names_of_the_halves_are_those_of_the_snapshot() -> None:
    assert rows_module.PAGE_HASH == features.examples.snapshot.PAGE_HASH
    assert rows_module.LIST_HASH == features.examples.snapshot.LIST_HASH
    assert 1 << features.examples.snapshot.HALF_BITS == rows_module._HALF


def test_a_large_split_is_thinned_by_whole_queries(paged: Snapshot) -> None:
    kept = read_split(paged, "train", 1_500)
    assert kept.unit is not None
    queries, counts = np.unique(kept.unit, return_counts=True)
    assert queries.tolist() == list(range(0, 200, 3)) and set(counts) == {20}


def test_without_queries_the_first_rows_are_kept(snapshot: Snapshot) -> None:
    first = read_split(snapshot, "train", 10)
    whole = read_split(snapshot, "train", 10_000)
    np.testing.assert_array_equal(first.features, whole.features[:10])
    assert first.unit is None and first.page is None
