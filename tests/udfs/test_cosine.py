"""Cosines of a block of pairs, without Spark."""

import numpy as np
import pandas as pd
import pytest
import udfs.cosine
from udfs.cosine import add_cosines


def unit(*values: float) -> np.ndarray:
    vector = np.array(values, dtype=np.float32)
    return vector / np.linalg.norm(vector)


VECTORS = pd.DataFrame(
    [
        ("text", "sofa", unit(1, 0)),
        ("item", "sofa", unit(0, 1)),
        ("item", "i2", unit(3, 4)),
        ("text", "lamp", unit(1, 1)),
    ],
    columns=["kind", "name", "embedding"],
)


@pytest.mark.parametrize("chunk", [1, 16_384])
def test_cosines(monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    monkeypatch.setattr(udfs.cosine, "_CHUNK", chunk)
    pairs = pd.DataFrame(
        [("sofa", "i2"), ("lamp", "i2"), ("sofa", "sofa")],
        columns=["text", "item_id"],
        index=[7, 8, 9],
    )
    found = add_cosines((0,), pairs, VECTORS)
    assert found["text"].tolist() == ["sofa", "lamp", "sofa"]
    assert found["item_id"].tolist() == ["i2", "i2", "sofa"]
    np.testing.assert_allclose(found["pair_cosine"], [0.6, 1.4 / np.sqrt(2), 0.0], atol=1e-6)


def test_a_missing_vector_is_named() -> None:
    pairs = pd.DataFrame([("sofa", "i2"), ("sofa", "i9")], columns=["text", "item_id"])
    with pytest.raises(KeyError, match="no embedding of item 'i9'"):
        add_cosines((0,), pairs, VECTORS)
    with pytest.raises(KeyError, match="no embedding of text 'rug'"):
        add_cosines((0,), pairs.assign(text="rug"), VECTORS)
