"""Scores of the fitted baselines in Spark: of flat rows of features, and of packed scoring rows."""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyspark.sql import DataFrame

from model.baselines.arms import RANKED, Baselines, load_baselines
from model.spec import InputSpec
from udfs.scoring import BatchScorer, read_matrix

PACKED = ("query_id", "item_ids", "query_values", "candidate_values")


def score_column(arm: str, what: str) -> str:
    """Name of the column of one figure of an arm."""
    return f"baseline_{arm}_{what}"


def score_columns(baselines: Baselines) -> list[tuple[str, str]]:
    """List (arm, what) of every column that the functions below add, in order."""
    columns: list[tuple[str, str]] = [(arm, "engagement") for arm in baselines.columns]
    for arm, models in baselines.probabilities.items():
        columns += [(arm, f"p_{name}") for name in models if not name.startswith("ge_")]
        columns += [(arm, "relevance")] if "ge_1" in models else []
    return columns + [(arm, RANKED[arm][0]) for arm in baselines.rankings]


def score_flat(rows: DataFrame, keys: Sequence[str], path: Path) -> DataFrame:
    """Score rows that have one column per feature.

    Args:
        rows: string columns `keys`, and the features of the baselines.
        path: file of `save_baselines` that the driver and the workers can read.

    Returns:
        keys and the columns of `score_columns`.
    """
    baselines = load_baselines(path)
    scorer = _make_flat_scorer(str(path), tuple(keys))
    return rows.select(*keys, *baselines.names).mapInArrow(scorer, _build_schema(keys, baselines))


def score_packed(rows: DataFrame, spec: InputSpec, path: Path) -> DataFrame:
    """Score the candidates of scoring_rows.

    Args:
        rows: the columns PACKED, one row per query.
        spec: features in the order in which the rows are packed.
        path: file of `save_baselines` that the driver and the workers can read.

    Returns:
        query_id, item_id and the columns of `score_columns`, one row per candidate.
    """
    scorer = _make_packed_scorer(str(path), spec)
    schema = _build_schema(("query_id", "item_id"), load_baselines(path))
    return rows.select(*PACKED).mapInArrow(scorer, schema)


@lru_cache(maxsize=1)
def _load_once(path: str) -> Baselines:
    """Load the baselines once per worker; the file's name holds a hash of all
    that they depend on.
    """
    return load_baselines(Path(path))


def _make_flat_scorer(path: str, keys: tuple[str, ...]) -> BatchScorer:
    def score_batches(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        baselines = _load_once(path)
        for batch in batches:
            features = np.column_stack([_read_column(batch, name) for name in baselines.names])
            named = [batch.column(key) for key in keys]
            yield _score_batch(baselines, features, keys, named)

    return score_batches


def _make_packed_scorer(path: str, spec: InputSpec) -> BatchScorer:
    def score_batches(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        baselines = _load_once(path)
        for batch in batches:
            items = batch.column("item_ids")
            counts = np.asarray(pc.list_value_length(items), dtype=np.int64)
            features = _unpack_features(batch, spec, counts)
            owner = pa.array(np.repeat(np.arange(len(counts)), counts))
            named = [batch.column("query_id").take(owner), items.flatten()]
            yield _score_batch(baselines, features, ("query_id", "item_id"), named)

    return score_batches


def _unpack_features(
    batch: pa.RecordBatch, spec: InputSpec, counts: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Unpack the features [N, F] of all candidates of the batch."""
    total = int(counts.sum())
    if total == 0:
        return np.empty((0, len(spec.names)), np.float32)
    query = read_matrix(batch, "query_values", len(counts))
    features = np.empty((total, len(spec.names)), np.float32)
    features[:, spec.query_positions] = np.repeat(np.asarray(query), counts, axis=0)
    features[:, spec.candidate_positions] = read_matrix(batch, "candidate_values", total)
    return features


def _read_column(batch: pa.RecordBatch, name: str) -> NDArray[np.float32]:
    values: NDArray[np.float32] = batch.column(name).to_numpy(zero_copy_only=False)
    return values.astype(np.float32)


def _score_batch(
    baselines: Baselines, features: NDArray[np.float32], keys: Sequence[str], named: list[Any]
) -> pa.RecordBatch:
    scores = baselines.score_candidates(features)
    columns = score_columns(baselines)
    values = [pa.array(scores[arm][what]) for arm, what in columns]
    names = [*keys, *(score_column(arm, what) for arm, what in columns)]
    return pa.RecordBatch.from_arrays([*named, *values], names=names)


def _build_schema(keys: Sequence[str], baselines: Baselines) -> str:
    scores = [score_column(arm, what) for arm, what in score_columns(baselines)]
    return ", ".join([*(f"{key} string" for key in keys), *(f"{name} double" for name in scores)])
