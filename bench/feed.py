"""Speed of the feed against pyarrow's own iter_batches over the same files.

    python -m bench.feed --rows 300000 --features 58

Prints rows/s of each reader (median of the repeats, readers alternating) and its ratio to
`ParquetFile.iter_batches` with each batch packed into one tensor, in the feed's batch size and in
a size that suits pyarrow (the harder yardstick, batches of 65,536 rows). The feed does more for
its rows: it mixes rows and files, cuts batches across files, and counts rows against the
manifest.
"""

import argparse
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import torch
from torch import Tensor

from bench.result import Result
from bench.synthetic import Planted, write_snapshot
from conf.sections.training import FeedConf
from model.feed import RowSelection, Snapshot, open_snapshot, read_batches

TARGET = 0.6
"""Share of pyarrow's own speed that the feed must reach."""
ROWS, FEATURES, FILES, BATCH, REPEATS = 300_000, 58, 10, 1_024, 5
"""Size of the default market's snapshot; repeats of a pass."""
LARGE = 65_536
"""Batch that suits pyarrow (rows)."""


def iter_batches(snapshot: Snapshot, size: int) -> Iterator[Tensor]:
    """Yield every file's batches as tensors [B, columns], in order, not mixed: the yardstick."""
    columns = [*snapshot.spec.names, *snapshot.spec.label_columns, "position"]
    for file in snapshot.splits["train"]:
        reader = pq.ParquetFile(snapshot.folder / file.path)
        for batch in reader.iter_batches(batch_size=size, columns=columns):
            arrays = [batch.column(name).to_numpy() for name in columns]
            yield torch.from_numpy(np.stack(arrays, axis=1))


def measure_rate(read: Callable[[], int]) -> float:
    """Measure the rows/s of one pass."""
    started = time.perf_counter()
    rows = read()
    return rows / (time.perf_counter() - started)


def build_readers(snapshot: Snapshot, size: int) -> dict[str, Callable[[], int]]:
    """Build one pass per reader, which gives the rows that it read."""

    def read_plain(rows: int) -> Callable[[], int]:
        return lambda: sum(len(tensor) for tensor in iter_batches(snapshot, rows))

    def read_feed(engine: str) -> Callable[[], int]:
        conf = FeedConf.model_validate({"engine": engine, "batch_size": size})
        rows = RowSelection("train", epoch=1, shuffle=True)
        return lambda: sum(int(b.weight.sum()) for b in read_batches(snapshot, rows, conf))

    return {
        f"iter_batches {size:,}": read_plain(size),
        f"iter_batches {LARGE:,}": read_plain(LARGE),
        "petastorm": read_feed("petastorm"),
        "pyarrow": read_feed("pyarrow"),
    }


def measure_rates(snapshot: Snapshot, size: int, repeats: int) -> dict[str, float]:
    """Measure median rows/s by reader, after one unmeasured pass of each."""
    passes = build_readers(snapshot, size)
    by_reader: dict[str, list[float]] = {name: [] for name in passes}
    for repeat in range(repeats + 1):
        for name, read in passes.items():
            value = measure_rate(read)
            if repeat:
                by_reader[name].append(value)
    return {name: statistics.median(values) for name, values in by_reader.items()}


def measure_planted_rates(
    rows: int, features: int, files: int, batch: int, repeats: int
) -> dict[str, float]:
    """Measure median rows/s by reader over a generated snapshot."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    planted = Planted(rows=(rows, 1_000), files=(files, 1), numerics=features - 2, buckets=4_096)
    with tempfile.TemporaryDirectory(prefix="counterpoise-bench-") as folder:
        return measure_rates(open_snapshot(write_snapshot(Path(folder), planted)), batch, repeats)


def build_results(rates: dict[str, float]) -> list[Result]:
    """Hold the feed's rate against each yardstick."""
    yardsticks = [name for name in rates if name.startswith("iter_batches")]
    return [
        Result(
            f"feed (petastorm) over {yardstick}",
            f"{rates['petastorm'] / rates[yardstick]:.2f} ({rates['petastorm']:,.0f} against "
            f"{rates[yardstick]:,.0f} rows/s)",
            f">= {TARGET}",
            rates["petastorm"] / rates[yardstick] >= TARGET,
        )
        for yardstick in yardsticks
    ]


def measure() -> list[Result]:
    """Measure the feed at the size of the default market."""
    return build_results(measure_planted_rates(ROWS, FEATURES, FILES, BATCH, REPEATS))


def main() -> None:
    """Generate a snapshot, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=ROWS, help="rows of the snapshot")
    parser.add_argument("--features", type=int, default=FEATURES, help="2 of them categories")
    parser.add_argument("--files", type=int, default=FILES)
    parser.add_argument("--batch", type=int, default=BATCH, help="rows per batch")
    parser.add_argument("--repeats", type=int, default=REPEATS)
    a = parser.parse_args()
    rates = measure_planted_rates(a.rows, a.features, a.files, a.batch, a.repeats)
    for name, value in rates.items():
        print(f"{name:20s} {value / 1e6:6.2f} M rows/s")
    for result in build_results(rates):
        print(f"{result.what}: {result.measured}, {'holds' if result.holds else 'missed'}")


if __name__ == "__main__":
    main()
