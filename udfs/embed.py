"""What runs in Spark's Python workers for embeddings: encoding texts, and cosines of pairs."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pyspark.sql.pandas.functions import pandas_udf

from model.encoder import EncoderSpec, load_encoder

COSINE_SCHEMA = "text string, item_id string, pair_cosine float"
_CHUNK = 16_384


def embed_udf(spec: EncoderSpec) -> Any:
    """A pandas UDF: string column -> array<float>, the unit-length embedding.

    The encoder is loaded once a worker. Rows are encoded in their order, so sort a partition by
    length first: a batch is padded to its longest text.
    """

    def embed(batches: Iterator[pd.Series]) -> Iterator[pd.Series]:
        encoder = load_encoder(spec)
        for texts in batches:
            yield pd.Series(list(encoder.encode(texts.tolist())))

    # pyspark's overloads do not know the iterator form by type hints.
    wrap: Any = pandas_udf
    return wrap(embed, "array<float>")


def cosine_block(
    block: tuple[Any, ...], pairs: pd.DataFrame, vectors: pd.DataFrame
) -> pd.DataFrame:
    """Cosines of the pairs of one block.

    Args:
        block: the block's key, unused.
        pairs: text, item_id.
        vectors: kind ("text" or "item"), name, embedding (unit length): all that the pairs need.

    Raises:
        KeyError: a vector is missing.
    """
    cosines = np.empty(len(pairs), dtype=np.float32)
    texts, at_text = _matrix(vectors, "text", pairs["text"])
    items, at_item = _matrix(vectors, "item", pairs["item_id"])
    for start in range(0, len(pairs), _CHUNK):
        part = slice(start, start + _CHUNK)
        cosines[part] = np.einsum("nd,nd->n", texts[at_text[part]], items[at_item[part]])
    return pd.DataFrame(
        {"text": pairs["text"], "item_id": pairs["item_id"], "pair_cosine": cosines}
    )


def _matrix(
    vectors: pd.DataFrame, kind: str, wanted: pd.Series
) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    """The vectors of one kind, (rows, dimension), and the row of each wanted name."""
    rows = vectors[vectors["kind"] == kind]
    at = pd.Index(rows["name"]).get_indexer(pd.Index(wanted))
    if len(at) and at.min() < 0:
        raise KeyError(f"no embedding of {kind} {wanted.iloc[int(at.argmin())]!r}")
    if not len(rows):
        return np.empty((0, 0), dtype=np.float32), at
    return np.stack(rows["embedding"].to_list()).astype(np.float32, copy=False), at
