"""Compares pairs of texts in Spark's Python workers, block by block."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from model.text.comparing import FIT_FEATURES, CatalogueFigures, compare_readings
from model.text.reading import FIELDS, Reading

COMPARED = ", ".join(
    (
        "query_hash string",
        "item_hash string",
        *(f"{name} float" for name in (*FIT_FEATURES, "pair_cosine")),
    )
)
"""Schema of what a block returns."""
_CHUNK = 16_384
"""Pairs that are multiplied at once: their gathered vectors take some tens of MB."""
Vectors = NDArray[np.float32]
Rows = NDArray[np.intp]


CompareBlock = Callable[[tuple[Any, ...], pd.DataFrame, pd.DataFrame], pd.DataFrame]


def make_comparer(figures: CatalogueFigures) -> CompareBlock:
    """Make what compares the pairs of one block, for `applyInPandas` on cogrouped frames.

    It takes the block's key; pairs: query_hash, item_hash; texts: all that the pairs need, as
    `features.text.blocks.block_texts` lays it out. It returns one row per pair, the columns of
    COMPARED, and raises KeyError where a pair's text is missing.

    Args:
        figures: of the catalogue, without the frequencies of terms: each block brings its own.
    """

    def compare_block(
        block: tuple[Any, ...], pairs: pd.DataFrame, texts: pd.DataFrame
    ) -> pd.DataFrame:
        return _compare_pairs(pairs, texts, figures)

    return compare_block


def _compare_pairs(
    pairs: pd.DataFrame, texts: pd.DataFrame, figures: CatalogueFigures
) -> pd.DataFrame:
    terms = texts[texts["kind"] == "term"]
    frequencies = dict(zip(terms["text_hash"], terms["items"].astype(int), strict=True))
    queries, at_query = _find_rows(texts, "query", pairs["query_hash"])
    items, at_item = _find_rows(texts, "item", pairs["item_hash"])
    fit = compare_readings(
        _collect_readings(queries),
        _collect_readings(items),
        at_query,
        at_item,
        replace(figures, frequencies=frequencies),
    )
    compared = pairs[["query_hash", "item_hash"]].reset_index(drop=True)
    compared[list(FIT_FEATURES)] = fit
    cosines = _compute_cosines(_stack_vectors(queries), _stack_vectors(items), at_query, at_item)
    return compared.assign(pair_cosine=cosines)


def _find_rows(texts: pd.DataFrame, kind: str, wanted: pd.Series) -> tuple[pd.DataFrame, Rows]:
    """Select the texts of one kind, and find the row of each wanted one."""
    rows = texts[texts["kind"] == kind]
    at = pd.Index(rows["text_hash"]).get_indexer(pd.Index(wanted))
    if len(at) and at.min() < 0:
        raise KeyError(
            f"{kind} text {wanted.iloc[int(at.argmin())]} has no reading or no embedding; run "
            "`counterpoise embed_texts` and `counterpoise read_texts` for this conf first"
        )
    return rows, at


def _collect_readings(rows: pd.DataFrame) -> list[Reading]:
    return [
        Reading(**dict(zip(FIELDS, values, strict=True)))
        for values in zip(*(rows[name] for name in FIELDS), strict=True)
    ]


def _stack_vectors(rows: pd.DataFrame) -> Vectors:
    if not len(rows):
        return np.empty((0, 0), np.float32)
    stacked: Vectors = np.stack(rows["embedding"].to_list()).astype(np.float32, copy=False)
    return stacked


def _compute_cosines(queries: Vectors, items: Vectors, at_query: Rows, at_item: Rows) -> Vectors:
    cosines = np.empty(len(at_query), np.float32)
    for start in range(0, len(at_query), _CHUNK):
        part = slice(start, start + _CHUNK)
        cosines[part] = np.einsum("nd,nd->n", queries[at_query[part]], items[at_item[part]])
    return cosines
