"""Batches hold every pair once, pairs of like length together; padding goes to the right."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from model.labelers.base import Targets
from model.labelers.network.token_pairs import TokenPairs, cut_sorted_batches, draw_batches

LENGTHS = st.lists(st.integers(1, 40), min_size=1, max_size=60)


@given(LENGTHS, st.integers(1, 7), st.integers(0, 5))
def test_every_pair_is_in_one_batch(lengths: list[int], size: int, seed: int) -> None:
    known = np.array(lengths)
    for batches in (draw_batches(known, size, seed), list(cut_sorted_batches(known, size))):
        assert sorted(np.concatenate(batches).tolist()) == list(range(len(lengths)))
        assert max(map(len, batches)) <= size


def test_the_seed_makes_the_order() -> None:
    known = np.arange(100) % 9
    one, same, other = (draw_batches(known, 8, seed) for seed in (1, 1, 2))
    assert [b.tolist() for b in one] == [b.tolist() for b in same]
    assert [b.tolist() for b in one] != [b.tolist() for b in other]


def test_a_batch_holds_pairs_of_like_length() -> None:
    known = np.random.default_rng(0).integers(1, 50, 400)
    spreads = [np.ptp(known[batch]) for batch in draw_batches(known, 8, 1)]
    assert np.mean(spreads) < 3


def test_a_batch_is_padded_on_the_right_with_each_inputs_own_filler() -> None:
    tokens = [{"input_ids": [5, 6, 7], "mask": [1, 1, 1]}, {"input_ids": [8], "mask": [1]}]
    data = TokenPairs.from_tokens(tokens, {"input_ids": 9})
    assert data.lengths.tolist() == [3, 1] and len(data) == 2
    batch = data.build_batch(np.array([1, 0]), "cpu")
    assert batch["input_ids"].tolist() == [[8, 9, 9], [5, 6, 7]]
    assert batch["mask"].tolist() == [[1, 0, 0], [1, 1, 1]]


def test_targets_come_back_and_are_nothing_where_there_are_none() -> None:
    tokens = [{"input_ids": [1]}, {"input_ids": [2]}]
    targets = TokenPairs.from_tokens(tokens, {}, Targets.from_grades(np.array([1, 2]))).targets
    assert (targets.label_ge_1.tolist(), targets.label_ge_2.tolist()) == ([1, 1], [0, 1])
    assert targets.weight.tolist() == [1, 1]
    assert TokenPairs.from_tokens(tokens, {}).targets.weight.tolist() == [0, 0]
