"""A block of pairs, without Spark: its features, its cosines, texts that are missing."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

import udfs.compare_pairs
from model.text.comparing import FIT_FEATURES, CatalogueFigures
from udfs.compare_pairs import COMPARED, make_comparer

COMPARE = make_comparer(CatalogueFigures(2, 2.0, {}, 1.2, 0.75))


def text(kind: str, name: str, tokens: str, *vector: float) -> dict[str, Any]:
    direction = np.array(vector, dtype=np.float32)
    return {
        "kind": kind,
        "text_hash": name,
        "tokens": np.array(tokens.split(), object),
        "head": tokens.split()[-1],
        "numbers": [],
        "colours": [],
        "sizes": [],
        "brand": [],
        "own_colour": "",
        "own_size": "",
        "embedding": direction / np.linalg.norm(direction),
    }


TEXTS = pd.DataFrame(
    [
        text("query", "q1", "red sofa", 1, 0),
        text("item", "q1", "blue lamp", 0, 1),
        text("item", "i2", "red velvet sofa", 3, 4),
        text("query", "q2", "lamp", 1, 1),
        {"kind": "term", "text_hash": "sofa", "items": 1},
        {"kind": "term", "text_hash": "lamp", "items": 2},
    ]
)


@pytest.mark.parametrize("chunk", [1, 16_384])
def test_pairs_of_a_block(monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    monkeypatch.setattr(udfs.compare_pairs, "_CHUNK", chunk)
    pairs = pd.DataFrame(
        [("q1", "i2"), ("q2", "i2"), ("q1", "q1"), ("q2", "q1")],
        columns=["query_hash", "item_hash"],
        index=[7, 8, 9, 10],
    )
    found = COMPARE((0,), pairs.assign(block=0), TEXTS)
    names = [column.split()[0] for column in COMPARED.split(", ")]
    assert found.columns.tolist() == names
    assert names == ["query_hash", "item_hash", *FIT_FEATURES, "pair_cosine"]
    assert found["query_hash"].tolist() == ["q1", "q2", "q1", "q2"]
    assert found["item_hash"].tolist() == ["i2", "i2", "q1", "q1"]
    assert found["pair_token_overlap"].tolist() == [1.0, 0.0, 0.0, 1.0]
    assert found["pair_last_match"].tolist() == [1.0, 0.0, 0.0, 1.0]
    cosines = [0.6, 1.4 / np.sqrt(2), 0.0, 1 / np.sqrt(2)]
    np.testing.assert_allclose(found["pair_cosine"], cosines, atol=1e-6)


def test_a_term_counts_by_the_items_that_hold_it() -> None:
    pairs = pd.DataFrame([("q1", "i2"), ("q2", "q1")], columns=["query_hash", "item_hash"])
    rare, common = COMPARE((0,), pairs, TEXTS)["pair_query_idf"]
    # red is in no item, sofa in one of two, lamp in both.
    assert rare == pytest.approx((np.log1p(2.5 / 0.5) + np.log1p(1.5 / 1.5)) / 2)
    assert common == pytest.approx(np.log1p(0.5 / 2.5), abs=1e-6)


def test_a_missing_text_is_named() -> None:
    pairs = pd.DataFrame([("q1", "i2"), ("q1", "i9")], columns=["query_hash", "item_hash"])
    with pytest.raises(KeyError, match="item text i9 has no reading or no embedding"):
        COMPARE((0,), pairs, TEXTS)
    with pytest.raises(KeyError, match="query text rug has no reading"):
        COMPARE((0,), pairs.assign(query_hash="rug"), TEXTS)
