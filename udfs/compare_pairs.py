"""Compares pairs of texts in Spark's Python workers, block by block."""

from dataclasses import dataclass, replace
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


@dataclass(frozen=True)
class PairComparer:
    """Compares the pairs of a block, for `applyInPandas` on cogrouped frames.

    Attributes:
        figures: of the catalogue, without the frequencies of terms: each block brings its own.
    """

    figures: CatalogueFigures

    def __call__(
        self, block: tuple[Any, ...], pairs: pd.DataFrame, texts: pd.DataFrame
    ) -> pd.DataFrame:
        """Return one row per pair: the columns of COMPARED.

        Args:
            block: the block's key.
            pairs: query_hash, item_hash.
            texts: kind, text_hash, the fields of a reading, embedding (unit length), items: all
                that the pairs need; see `features.text.blocks.block_texts`.

        Raises:
            KeyError: a pair's text is missing.
        """
        terms = texts[texts["kind"] == "term"]
        frequencies = dict(zip(terms["text_hash"], terms["items"].astype(int), strict=True))
        queries, at_query = _find_rows(texts, "query", pairs["query_hash"])
        items, at_item = _find_rows(texts, "item", pairs["item_hash"])
        fit = compare_readings(
            _collect_readings(queries),
            _collect_readings(items),
            at_query,
            at_item,
            replace(self.figures, frequencies=frequencies),
        )
        compared = pairs[["query_hash", "item_hash"]].reset_index(drop=True)
        compared[list(FIT_FEATURES)] = fit
        cosines = _compute_cosines(
            _stack_vectors(queries), _stack_vectors(items), at_query, at_item
        )
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
    return np.stack(rows["embedding"].to_list()).astype(np.float32, copy=False)


def _compute_cosines(queries: Vectors, items: Vectors, at_query: Rows, at_item: Rows) -> Vectors:
    cosines = np.empty(len(at_query), np.float32)
    for start in range(0, len(at_query), _CHUNK):
        part = slice(start, start + _CHUNK)
        cosines[part] = np.einsum("nd,nd->n", queries[at_query[part]], items[at_item[part]])
    return cosines
