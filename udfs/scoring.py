"""What every scoring UDF does with a batch: predict, weigh, rank.

The model is loaded once per Python worker, and stays loaded while the same version is asked for;
torch runs one thread there, because Spark gives each core a worker of its own.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from conf.errors import UserError
from model.value.weights import WeightTable, compute_ranks, compute_value

PROBABILITIES = ("p_click", "p_cart", "p_purchase", "p_ge_1", "p_ge_2")
FLOAT_OUTPUTS = (*PROBABILITIES, "relevance", "value")
OUTPUTS = (*FLOAT_OUTPUTS, "rank")

Floats = NDArray[np.float32]
BatchScorer = Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]


class CandidateRanker(Protocol):
    """The part of a loaded model that scoring needs."""

    def predict_candidates(
        self, query_values: Floats, candidate_values: Floats, counts: NDArray[np.int64]
    ) -> dict[str, Floats]:
        """Predict calibrated probabilities [N] by name, from [Q, Fq], [N, Fc] and
        [Q] summing to N.
        """


class ScoringError(UserError, ValueError):
    """Rows that the model cannot score; the message says what it expected."""


@lru_cache(maxsize=2)
def ranker_of(model_dir: str, version: str) -> Any:
    """Load the model of a folder and verify it, once per worker.

    Raises:
        ScoringError: the folder holds another version than the driver saw, or a model without
            one of PROBABILITIES.
    """
    import torch

    from model.serving.artifact import load_model

    torch.set_num_threads(1)
    ranker = load_model(model_dir)
    if ranker.version != version:
        raise ScoringError(f"model {model_dir} is version {ranker.version}, not {version}")
    missing = [name for name in PROBABILITIES if name not in ranker.spec.outputs]
    if missing:
        raise ScoringError(f"model {model_dir} does not predict {missing}: it cannot score")
    return ranker


@lru_cache(maxsize=2)
def weights_of(weights_json: str) -> WeightTable:
    """Read the weights from their JSON."""
    return WeightTable.from_json(weights_json)


def score_candidates(
    ranker: CandidateRanker,
    weights: WeightTable,
    query_values: Floats,
    candidate_values: Floats,
    counts: NDArray[np.int64],
    regions: Sequence[str | None],
) -> dict[str, NDArray[Any]]:
    """Predict, weigh and rank the candidates of Q queries.

    Args:
        query_values: [Q, Fq] query features.
        candidate_values: [N, Fc] item and pair features, one query's candidates after the other.
        counts: [Q] candidates of each query, sum N.
        regions: [Q] regions; one without weights of its own takes the default.

    Returns:
        [N] float32 by FLOAT_OUTPUTS, and int32 `rank`, from 1 within each query.
    """
    if not counts.sum():
        nothing = np.empty(0, np.float32)
        return {**dict.fromkeys(FLOAT_OUTPUTS, nothing), "rank": np.empty(0, np.int32)}
    predicted = ranker.predict_candidates(query_values, candidate_values, counts)
    result: dict[str, NDArray[Any]] = {
        name: np.asarray(predicted[name], dtype=np.float32) for name in PROBABILITIES
    }
    result["relevance"] = result["p_ge_1"] + result["p_ge_2"]
    by_query = weights.build_matrix(["" if region is None else region for region in regions])
    result["value"] = compute_value(result, np.repeat(by_query, counts, axis=0))
    result["rank"] = compute_ranks(result["value"], counts)
    return result


def read_matrix(batch: pa.RecordBatch, name: str, rows: int) -> Floats:
    """Read all floats of a list column as `rows` equal rows, copied once: torch wants to own what
    it is given.

    Raises:
        ScoringError: the values do not divide into that many rows.
    """
    flat = batch.column(name).flatten().to_numpy(zero_copy_only=False, writable=True)
    return as_matrix(flat, rows, name)


def as_matrix(flat: Floats, rows: int, what: str) -> Floats:
    """Arrange values that follow one another into `rows` equal rows.

    Raises:
        ScoringError: the values do not divide into that many rows.
    """
    if rows == 0 and len(flat) == 0:
        return flat.reshape(0, 0)
    if rows == 0 or len(flat) % rows:
        raise ScoringError(f"{what}: {len(flat)} values are not {rows} equal rows")
    return flat.reshape(rows, -1)
