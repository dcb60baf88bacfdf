"""Whether Spark and DuckDB gave the same features, row by row."""

from collections.abc import Iterator
from pathlib import Path

import duckdb

from bench.log_features_duckdb import TABLES

KEYS = {
    "query": ("run_date", "as_of_date", "query_id", "region"),
    "item": ("run_date", "as_of_date", "item_id", "region"),
    "pair": ("run_date", "as_of_date", "query_id", "item_id"),
}
TOLERANCE = 1e-6
"""Of a feature's differences, over the sum of its absolute values (fraction)."""
TOLERANCES = {
    # Spark's median of a large catalogue is one within 1 / 10,000 of its ranks of the exact one.
    "item_price_vs_median": 1e-3,
}
LEFT_OUT = ("item_brand", "item_type")
"""Ids of categories: the two have different hashes."""


class UnequalFeaturesError(RuntimeError):
    """Spark and DuckDB give different features; the message names them."""


def check_equal(ours: Path, theirs: Path) -> None:
    """Compare the tables of two folders: `<table>/*.parquet` and `<table>.parquet`.

    Raises:
        UnequalFeaturesError: they differ by more than the tolerance.
    """
    with duckdb.connect() as connection:
        found = [line for name in TABLES for line in _compare(connection, name, ours, theirs)]
    if found:
        raise UnequalFeaturesError("Spark and DuckDB differ; " + "; ".join(found))


def _compare(
    connection: duckdb.DuckDBPyConnection, name: str, ours: Path, theirs: Path
) -> Iterator[str]:
    """Compare one table; a line for each difference."""
    a = connection.read_parquet(f"{ours / name}/*.parquet").set_alias("a")
    b = connection.read_parquet(f"{theirs / name}.parquet").set_alias("b")
    if sorted(a.columns) != sorted(b.columns):
        yield f"{name}: columns {sorted(set(a.columns) ^ set(b.columns))} in one of them"
        return
    joined = a.join(b, " AND ".join(f"a.{key} = b.{key}" for key in KEYS[name]))
    rows = [len(frame) for frame in (a, b, joined)]
    if len(set(rows)) > 1:
        yield f"{name}: {rows[0]} rows by Spark, {rows[1]} by DuckDB, {rows[2]} of equal keys"
        return
    features = [f for f in a.columns if f not in (*KEYS[name], *LEFT_OUT)]
    sums = joined.aggregate(", ".join(map(_sum_both, features))).fetchall()[0]
    for feature, found in zip(features, sums, strict=True):
        off, size = found["off"], found["size"]
        if off is None or not off <= TOLERANCES.get(feature, TOLERANCE) * size:
            yield f"{feature}: sum {found['a']} by Spark, {found['b']} by DuckDB, off by {off}"


def _sum_both(feature: str) -> str:
    """Sum a feature of both, its size, and by how much rows differ, as SQL: one struct."""
    x, y = (f"CAST({side}.{feature} AS DOUBLE)" for side in "ab")
    sums = f"'a': sum({x}), 'b': sum({y}), 'size': sum(abs({x})), 'off': sum(abs({x} - {y}))"
    return f"{{{sums}}}"
