"""The pandas UDF that encodes texts in Spark's Python workers."""

from collections.abc import Iterator
from typing import Any

import pandas as pd
from pyspark.sql.pandas.functions import pandas_udf

from model.text.encoder import EncoderSpec, load_encoder


def embed_udf(spec: EncoderSpec) -> Any:
    """Make a pandas UDF: string column -> array<float>, the unit-length embedding.

    The encoder is loaded once per worker. It batches by length within an Arrow batch: sort a
    partition of several Arrow batches by length first.
    """

    def embed_batches(batches: Iterator[pd.Series]) -> Iterator[pd.Series]:
        encoder = load_encoder(spec)
        for texts in batches:
            yield pd.Series(list(encoder.encode(texts.tolist())))

    # pyspark's overloads do not know the iterator form by type hints.
    wrap: Any = pandas_udf
    return wrap(embed_batches, "array<float>")
