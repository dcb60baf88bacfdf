"""Batches hold every pair once; padding goes to the right; over-long pairs keep both texts."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.labelers.base import LabelerError, Pairs
from model.labelers.cross_encoder.encoder_base import read_tokenizer
from model.labelers.cross_encoder.pair_tokens import (
    MARKS,
    PairTokenizer,
    lengths_of,
    shuffled_batches,
    sorted_batches,
)

LENGTHS = st.lists(st.integers(1, 40), min_size=1, max_size=300)


@given(LENGTHS, st.integers(1, 7), st.integers(0, 5))
def test_every_pair_is_in_one_batch(lengths: list[int], size: int, seed: int) -> None:
    known = np.array(lengths)
    for batches in (shuffled_batches(known, size, seed), list(sorted_batches(known, size))):
        assert sorted(np.concatenate(batches).tolist()) == list(range(len(lengths)))
        assert max(map(len, batches)) <= size


def test_the_seed_makes_the_order() -> None:
    known = np.arange(100) % 9
    one, same, other = (shuffled_batches(known, 8, seed) for seed in (1, 1, 2))
    assert [b.tolist() for b in one] == [b.tolist() for b in same]
    assert [b.tolist() for b in one] != [b.tolist() for b in other]


def test_a_batch_holds_pairs_of_like_length() -> None:
    known = np.random.default_rng(0).integers(1, 50, 400)
    spreads = [np.ptp(known[batch]) for batch in shuffled_batches(known, 8, 1)]
    assert np.mean(spreads) < 3


def test_padding_and_truncation(tiny_encoder: str) -> None:
    tokenizer = PairTokenizer(read_tokenizer(Path(tiny_encoder)), 10)
    rows = tokenizer.tokens(Pairs(["a", "b " * 500], ["b", "c d"]))
    assert lengths_of(rows).tolist() == [5, 10]
    padded = tokenizer.padded(rows)
    assert padded["input_ids"].shape == (2, 10)
    assert padded["attention_mask"][0].tolist() == [1] * 5 + [0] * 5
    # [CLS] b b b b b [SEP] c d [SEP]: the longer text gave way.
    assert padded["token_type_ids"][1].tolist() == [0] * 7 + [1] * 3
    assert tokenizer.tokens(Pairs([], [])) == []


def test_marks_say_whose_a_token_is_and_who_else_has_it(tiny_encoder: str) -> None:
    tokenizer = PairTokenizer(read_tokenizer(Path(tiny_encoder)), 16)
    same, none = tokenizer.tokens(Pairs(["a b", "a"], ["b c b", "b c d e"]))
    # [CLS] a b [SEP] b c b [SEP]
    assert same[MARKS] == [0, 1, 2, 0, 4, 3, 4, 0]
    assert none[MARKS] == [0, 1, 0, 3, 3, 3, 3, 0]
    assert tokenizer.padded([same, none])[MARKS].tolist() == [same[MARKS], none[MARKS]]
    shorter = tokenizer.tokens(Pairs(["a"], ["a"]))[0]
    assert tokenizer.padded([same, shorter])[MARKS][1].tolist() == [0, 2, 0, 4, 0, 0, 0, 0]


def test_a_tokenizer_that_cannot_tell_whose_a_token_is_reads_without_marks() -> None:
    class Slow:
        is_fast = False
        pad_token_id = pad_token_type_id = 0
        model_input_names = ("input_ids",)

        def __call__(self, queries: list[str], items: list[str], **_: object) -> dict[str, object]:
            pairs = zip(queries, items, strict=True)
            return {"input_ids": [[len(query), len(item)] for query, item in pairs]}

    with pytest.raises(LabelerError, match=r"Slow does not say .*cross_encoder\.marks=false"):
        PairTokenizer(Slow(), 8)
    plain = PairTokenizer(Slow(), 8, marks=False)
    assert plain.tokens(Pairs(["a"], ["bc"])) == [{"input_ids": [1, 2]}]
