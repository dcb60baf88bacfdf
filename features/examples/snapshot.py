"""Which row of the training set goes to which snapshot file: a shuffle that scales.

Rows are ordered by a hash of (seed, example_id), so partitioning never changes the order. The hash
space is cut into equal ranges; the counts of the ranges, a bounded number, give every row its place
in the whole order without a sort of everything in one task.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from features.contracts.training import LABEL_COLUMNS
from features.declarations import FEATURES
from features.draws import draw_hash
from features.lookup import Transform
from features.spec import Feature

SPLITS = ("train", "validation")
HALF_BITS = 24
"""Whole numbers of so many bits are exact in float32; two of them tell all pages apart."""

PAGE_HASH = ("page_high", "page_low")
LIST_HASH = ("list_high", "list_low")
"""Halves of a hash of the result page and of the query, for losses and metrics over lists; -1:
never shown. A hash, because numbering the pages would take a join and end at 2^24 of them."""

RANGE_BITS = 10
_BESIDE: tuple[str, ...] = (
    "position",
    *(name for name, _, _ in LABEL_COLUMNS),
    *PAGE_HASH,
    *LIST_HASH,
)


@dataclass(frozen=True)
class Layout:
    """Which columns (as float32, in order) and which splits a snapshot holds."""

    columns: tuple[str, ...]
    splits: tuple[str, ...]


def training_layout(features: Iterable[Feature] = FEATURES) -> Layout:
    """Name the columns and splits that `train` reads: never test rows."""
    return Layout((*(feature.name for feature in features), *_BESIDE), SPLITS)


TRAINING = training_layout()
"""Without features of a team's own."""


def shuffled_rows(seed: int, layout: Layout = TRAINING) -> Transform:
    """Select the float32 columns of a snapshot's rows, and add their place in the shuffle.

    Adds `hash` (order within a split) and `hash_range` (its leading RANGE_BITS, in that order).
    """
    hashes = _split_hash("search_id", PAGE_HASH) | _split_hash("query_id", LIST_HASH)
    hashed = draw_hash(seed, "snapshot", F.col("example_id"))
    return lambda examples: (
        examples.where(F.col("split").isin(*layout.splits))
        .withColumn("hash", hashed)
        .select(
            "split",
            "example_id",
            "hash",
            F.shiftright("hash", 64 - RANGE_BITS).alias("hash_range"),
            *(hashes.get(name, F.col(name)).cast("float").alias(name) for name in layout.columns),
        )
    )


def _split_hash(key: str, names: tuple[str, str]) -> dict[str, Column]:
    """Split 48 bits of the key's hash into the upper and the lower HALF_BITS; -1 without a key."""
    hashed = F.xxhash64(F.lit(key), F.col(key))
    largest = F.lit(2**HALF_BITS - 1).cast("long")
    halves = (F.shiftrightunsigned(hashed, 64 - HALF_BITS), hashed.bitwiseAND(largest))
    return {
        name: F.when(F.col(key).isNull(), -1).otherwise(half)
        for name, half in zip(names, halves, strict=True)
    }


def range_counts(rows: DataFrame) -> DataFrame:
    """Count the rows of each split and range of the hash: at most 2 x 2^RANGE_BITS rows."""
    return rows.groupBy("split", "hash_range").agg(F.count(F.lit(1)).alias("n"))


def range_offsets(counts: Iterable[tuple[str, int, int]]) -> list[tuple[str, int, int]]:
    """Count the rows of the split before each range, from (split, range, rows)."""
    total: dict[str, int] = {}
    offsets = []
    for split, hash_range, rows in sorted(counts):
        offsets.append((split, hash_range, total.get(split, 0)))
        total[split] = total.get(split, 0) + rows
    return offsets


def file_counts(rows: Mapping[str, int], rows_per_file: int) -> dict[str, int]:
    """Count the files of each split, so that none holds more than `rows_per_file` rows."""
    return {split: -(-n // rows_per_file) for split, n in rows.items()}


def assign_files(offsets: DataFrame, rows: Mapping[str, int], rows_per_file: int) -> Transform:
    """Add `place` (from 0 within the split) and `file`, whose sizes differ by one row at most.

    Args:
        offsets: split, hash_range, offset, as `range_offsets` gives them.
        rows: rows of each split.
        rows_per_file: rows of a file at most.
    """
    files = file_counts(rows, rows_per_file)
    window = Window.partitionBy("split", "hash_range").orderBy("hash", "example_id")
    place = F.col("offset") + F.row_number().over(window) - 1
    file = F.lit(None).cast("int")
    for split, n in rows.items():
        file = F.when(
            F.col("split") == split, F.expr(f"int(place * {files[split]} div {n})")
        ).otherwise(file)
    return lambda df: (
        df.join(F.broadcast(offsets), on=["split", "hash_range"], how="inner")
        .withColumn("place", place)
        .withColumn("file", file)
    )
