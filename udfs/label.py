"""Relevance labels of pairs of texts in Spark's Python workers."""

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from pyspark.sql.pandas.functions import pandas_udf

from model.labelers.base import Pairs, Probabilities
from model.labelers.deployed import Deployed, load_deployed, read_deployed_version
from model.labelers.endpoint.budget import SharesBudget
from model.labelers.vectors import ReadsVectors

RESULT_TYPE = (
    "struct<p_ge_1: double, p_ge_2: double, grade: int, reason: string, suspected: boolean>"
)


def label_udf(folder: str | Path, processes: int = 1) -> Any:
    """Make a pandas UDF: query_text, item_text (strings), their vectors (arrays) -> RESULT_TYPE.

    A vector is of the encoder that `read_deployed_encoder` names; null where none is stored. The
    labeler is loaded once per worker. Sort a partition by length first: neighbours are read
    together. Where there is no answer the probabilities and the grade are null and the reason says
    why.

    Args:
        folder: a labeler directory that the workers can read.
        processes: partitions that are labelled, which share the budget of an endpoint (count).
    """
    place, version = str(folder), read_deployed_version(Path(folder))

    def label_batches(batches: Iterator[tuple[pd.Series, ...]]) -> Iterator[pd.DataFrame]:
        labeler = labeler_of(place, version, processes)
        for queries, items, of_queries, of_items in batches:
            hand_vectors(labeler, queries, of_queries)
            hand_vectors(labeler, items, of_items)
            yield label_series(labeler, queries, items)

    wrap: Any = pandas_udf  # its overloads do not know an iterator of frames
    return wrap(label_batches, RESULT_TYPE)


def hand_vectors(labeler: Deployed, texts: "pd.Series[str]", vectors: "pd.Series[Any]") -> None:
    """Hand stored vectors of some of the texts to a labeler that reads any."""
    by_text = {
        text: np.asarray(vector, np.float32)
        for text, vector in zip(texts, vectors, strict=True)
        if vector is not None
    }
    if by_text and isinstance(labeler.labeler, ReadsVectors):
        labeler.labeler.add_vectors(by_text)


def label_series(
    labeler: Deployed, queries: "pd.Series[str]", items: "pd.Series[str]"
) -> pd.DataFrame:
    """Label one batch of the UDF."""
    answers = labeler.predict_some(Pairs(queries.tolist(), items.tolist()))
    answered = answers.answered
    probabilities = Probabilities(answers.p_ge_1[answered], answers.p_ge_2[answered])
    grades = np.full(len(answered), -1, np.int64)
    grades[answered] = labeler.deployment.choose_grades(probabilities)
    return pd.DataFrame(
        {
            "p_ge_1": answers.p_ge_1,
            # Rounding may put the second a hair above the first, which the table forbids.
            "p_ge_2": np.minimum(answers.p_ge_1, answers.p_ge_2),
            "grade": pd.Series(grades, dtype="Int32").mask(~answered),
            "reason": pd.Series(list(answers.reasons), dtype=object),
            "suspected": np.asarray(answers.suspected, bool),
        }
    )


@lru_cache(maxsize=1)
def labeler_of(folder: str, version: str, processes: int = 1) -> Deployed:
    """Load the labeler once per process; a directory that was replaced is loaded again."""
    torch.set_num_threads(1)
    deployed = load_deployed(folder)
    if isinstance(deployed.labeler, SharesBudget):
        deployed.labeler.share_budget(processes)
    return deployed
