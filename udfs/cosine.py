"""Cosines of query texts and items in Spark's Python workers."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

_CHUNK = 16_384
"""Pairs that are multiplied at once: their gathered vectors take some tens of MB."""


def add_cosines(block: tuple[Any, ...], pairs: pd.DataFrame, vectors: pd.DataFrame) -> pd.DataFrame:
    """Add `pair_cosine` (float32) to the pairs of one block.

    Args:
        block: the block's key.
        pairs: text, item_id and columns that are passed on.
        vectors: kind ("text" or "item"), name, embedding (unit length): all that the pairs need.

    Raises:
        KeyError: a vector is missing.
    """
    cosines = np.empty(len(pairs), dtype=np.float32)
    texts, at_text = _stack_vectors(vectors, "text", pairs["text"])
    items, at_item = _stack_vectors(vectors, "item", pairs["item_id"])
    for start in range(0, len(pairs), _CHUNK):
        part = slice(start, start + _CHUNK)
        cosines[part] = np.einsum("nd,nd->n", texts[at_text[part]], items[at_item[part]])
    return pairs.drop(columns="block", errors="ignore").assign(pair_cosine=cosines)


def _stack_vectors(
    vectors: pd.DataFrame, kind: str, wanted: pd.Series
) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    """Stack the vectors of one kind, (rows, dimension), and find the row of each wanted name."""
    rows = vectors[vectors["kind"] == kind]
    at = pd.Index(rows["name"]).get_indexer(pd.Index(wanted))
    if len(at) and at.min() < 0:
        raise KeyError(f"no embedding of {kind} {wanted.iloc[int(at.argmin())]!r}")
    if not len(rows):
        return np.empty((0, 0), dtype=np.float32), at
    return np.stack(rows["embedding"].to_list()).astype(np.float32, copy=False), at
