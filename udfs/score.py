"""Scores the candidates of a query: the UDF, and its use on any DataFrame of features.

from udfs.score import score_dataframe
score_dataframe(df, "warehouse/simulated/models/2026-03-01").orderBy("query_id", "rank").show()
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.functions import pandas_udf

from conf.sections.value import ValueConf
from model.value.weights import WeightTable
from udfs.model_files import model_version, read_spec
from udfs.scoring import (
    FLOAT_OUTPUTS,
    OUTPUTS,
    ScoringError,
    as_matrix,
    ranker_of,
    score_candidates,
    weights_of,
)

RESULT_TYPE = "struct<{}, rank: array<int>>".format(
    ", ".join(f"{name}: array<float>" for name in FLOAT_OUTPUTS)
)
Batch = tuple[pd.Series, pd.Series, pd.Series, pd.Series]


def score_udf(model_dir: str | Path, weights_json: str) -> Any:
    """Make the scoring UDF: one row per query, its candidates as arrays.

    Arguments of the UDF: candidates (int, count), query_values (array<float>, query features in the
    declared order), candidate_values (array<float>, item then pair features of each candidate, one
    candidate after the other), region (string). Result: RESULT_TYPE, arrays with one entry per
    candidate, in their order.

    Args:
        model_dir: a model directory that the workers can read.
        weights_json: `WeightTable.to_json()`.
    """
    folder, version = str(model_dir), model_version(model_dir)

    def score_batches(batches: Iterator[Batch]) -> Iterator[pd.DataFrame]:
        ranker, weights = ranker_of(folder, version), weights_of(weights_json)
        for batch in batches:
            yield score_series(ranker, weights, *batch)

    typed: Any = pandas_udf  # its overloads do not know an iterator of frames
    return typed(score_batches, RESULT_TYPE)


def score_series(
    ranker: Any,
    weights: WeightTable,
    candidates: "pd.Series[int]",
    query_values: "pd.Series[Any]",
    candidate_values: "pd.Series[Any]",
    region: "pd.Series[str]",
) -> pd.DataFrame:
    """Score one batch of the UDF: arrays in the cells of the input and of the output."""
    counts = np.asarray(candidates, dtype=np.int64)
    scored = score_candidates(
        ranker,
        weights,
        as_matrix(_concatenate_cells(query_values), len(counts), "query_values"),
        as_matrix(_concatenate_cells(candidate_values), int(counts.sum()), "candidate_values"),
        counts,
        region.tolist(),
    )
    cuts = np.cumsum(counts)[:-1]
    return pd.DataFrame({name: _split_cells(scored[name], cuts, len(counts)) for name in OUTPUTS})


def score_dataframe(
    df: DataFrame,
    model_dir: str | Path,
    weights: WeightTable | None = None,
    group: Sequence[str] = ("query_id", "region"),
) -> DataFrame:
    """Score a DataFrame of one row per candidate.

    Args:
        df: item_id, the columns of `group` and every feature that the model declares. The rows of
            one group go to the model together and must fit into one row of arrays.
        model_dir: a model directory that the driver and the workers can read.
        weights: of the value model; the defaults of conf where None.
        group: columns, `region` among them, that name a ranked list. Rows of a group that differ
            in their query features are ranked apart.

    Returns:
        `df` without the features, and p_click, p_cart, p_purchase, p_ge_1, p_ge_2, relevance,
        value, and rank from 1 (ties by item_id).

    Raises:
        ScoringError: a column is missing; the message names it.
    """
    spec = read_spec(model_dir)
    names = spec.names
    _require_columns(df, [*group, "region", "item_id", *names])
    table = WeightTable.from_conf(ValueConf()) if weights is None else weights
    others = [c for c in df.columns if c not in {*group, *names, "item_id"}]
    packed = (
        df.groupBy(*group, _pack_columns(names, spec.query_positions).alias("query_values"))
        .agg(F.collect_list(_make_candidate(names, spec.candidate_positions, others)).alias("rows"))
        .withColumn("rows", F.sort_array("rows"))
    )
    candidates = (F.size("rows"), "query_values", F.flatten("rows.candidate_values"), "region")
    scored = packed.withColumn("scored", score_udf(model_dir, table.to_json())(*candidates))
    zipped = F.arrays_zip("rows", *(F.col(f"scored.{name}").alias(name) for name in OUTPUTS))
    return (
        scored.select(*group, F.inline(zipped))
        .select(*group, "rows.item_id", "rows.others.*", *OUTPUTS)
        .select(*(c for c in df.columns if c not in names), *OUTPUTS)
    )


def _pack_columns(names: Sequence[str], positions: Sequence[int]) -> Column:
    return F.array(*(F.col(names[i]).cast("float") for i in positions))


def _make_candidate(
    names: Sequence[str], positions: Sequence[int], others: Sequence[str]
) -> Column:
    """Put item_id first: it decides the order of the candidates, and so of ties."""
    values = _pack_columns(names, positions).alias("candidate_values")
    return F.struct("item_id", values, F.struct(F.lit(0).alias("_"), *others).alias("others"))


def _require_columns(df: DataFrame, needed: Sequence[str]) -> None:
    missing = [name for name in dict.fromkeys(needed) if name not in df.columns]
    if missing:
        raise ScoringError(f"columns {missing} are missing; present: {sorted(df.columns)}")


def _concatenate_cells(cells: "pd.Series[Any]") -> NDArray[np.float32]:
    """Concatenate the arrays of a column."""
    parts = cells.to_list()
    return np.concatenate(parts, dtype=np.float32) if parts else np.empty(0, np.float32)


def _split_cells(values: NDArray[Any], cuts: NDArray[np.int64], cells: int) -> "pd.Series[Any]":
    """Split the values into one array per cell; `cuts` are the starts of all
    cells but the first.
    """
    return pd.Series(np.split(values, cuts) if cells else [], dtype=object)
