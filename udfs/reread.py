"""A second reading of pairs by a labeler, in Spark's Python workers."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache

import numpy as np
import pandas as pd

from model.labelers.base import Labeler, Pairs, Probabilities
from model.labelers.endpoint.budget import SharesBudget
from model.labelers.partial import predict_some
from model.labelers.store import load_labeler

READ_COLUMNS = "model_version string, model_p_ge_1 double, model_p_ge_2 double, model_grade int"
Reader = Callable[[Iterable[pd.DataFrame]], Iterator[pd.DataFrame]]


def make_reader(
    folders: Mapping[int, str], versions: Mapping[int, str], processes: int = 1
) -> Reader:
    """Make a function for `mapInPandas` that adds READ_COLUMNS and drops query_text and item_text.

    Args:
        folders: labeler directory of each value of the column `fold`, readable by the workers.
        versions: their versions; a directory that was replaced meanwhile is loaded again.
        processes: partitions that are read, which share the budget of an endpoint (count).
    """
    sources = dict(folders), dict(versions)

    def read_batches(batches: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        for batch in batches:
            for fold, rows in batch.groupby("fold", sort=True):
                number = int(str(fold))
                yield reread_rows(
                    rows, _load_once(sources[0][number], sources[1][number], processes)
                )

    return read_batches


def reread_rows(rows: pd.DataFrame, labeler: Labeler) -> pd.DataFrame:
    """Add to the rows what the labeler says of their query_text and item_text.

    A pair that it cannot answer is left out: it stays unread.
    """
    pairs = Pairs(rows["query_text"].tolist(), rows["item_text"].tolist())
    answers = predict_some(labeler, pairs)
    probabilities = Probabilities(
        answers.p_ge_1[answers.answered], answers.p_ge_2[answers.answered]
    )
    read = rows[answers.answered].drop(columns=["query_text", "item_text"])
    return read.assign(
        model_version=labeler.version,
        model_p_ge_1=probabilities.p_ge_1,
        model_p_ge_2=probabilities.p_ge_2,
        model_grade=probabilities.grades.astype(np.int32),
    )


@lru_cache(maxsize=4)
def _load_once(folder: str, version: str, processes: int) -> Labeler:
    labeler = load_labeler(folder)
    if isinstance(labeler, SharesBudget):
        labeler.share_budget(processes)
    return labeler
