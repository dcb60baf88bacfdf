"""Over-long pairs keep both texts; marks say whose a token is."""

from pathlib import Path

import numpy as np
import pytest

from model.labelers.base import LabelerError, Pairs
from model.labelers.cross_encoder.tokens import MARKS, PairTokenizer
from model.labelers.network.base_model import read_tokenizer
from model.labelers.network.token_pairs import TokenPairs


def test_padding_and_truncation(tiny_encoder: str) -> None:
    tokenizer = PairTokenizer(read_tokenizer(Path(tiny_encoder)), 10)
    rows = tokenizer.tokenise(Pairs(["a", "b " * 500], ["b", "c d"]))
    data = TokenPairs.from_tokens(rows, tokenizer.fillers)
    assert data.lengths.tolist() == [5, 10]
    padded = data.build_batch(np.arange(2), "cpu")
    assert padded["input_ids"].shape == (2, 10)
    assert padded["attention_mask"][0].tolist() == [1] * 5 + [0] * 5
    # [CLS] b b b b b [SEP] c d [SEP]: the longer text gave way.
    assert padded["token_type_ids"][1].tolist() == [0] * 7 + [1] * 3
    assert tokenizer.tokenise(Pairs([], [])) == []


def test_marks_say_whose_a_token_is_and_who_else_has_it(tiny_encoder: str) -> None:
    tokenizer = PairTokenizer(read_tokenizer(Path(tiny_encoder)), 16)
    same, none = tokenizer.tokenise(Pairs(["a b", "a"], ["b c b", "b c d e"]))
    # [CLS] a b [SEP] b c b [SEP]
    assert same[MARKS] == [0, 1, 2, 0, 4, 3, 4, 0]
    assert none[MARKS] == [0, 1, 0, 3, 3, 3, 3, 0]
    shorter = tokenizer.tokenise(Pairs(["a"], ["a"]))[0]
    padded = TokenPairs.from_tokens([same, shorter], tokenizer.fillers).build_batch(
        np.arange(2), "cpu"
    )
    assert padded[MARKS].tolist() == [same[MARKS], [0, 2, 0, 4, 0, 0, 0, 0]]


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
    assert plain.tokenise(Pairs(["a"], ["bc"])) == [{"input_ids": [1, 2]}]
