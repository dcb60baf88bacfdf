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
from model.feed import Rows, Snapshot, batches, open_snapshot

TARGET = 0.6
ROWS, FEATURES, FILES, BATCH, REPEATS = 300_000, 58, 10, 1_024, 5
LARGE = 65_536


def iter_batches(snapshot: Snapshot, size: int) -> Iterator[Tensor]:
    """The yardstick: every file's batches as tensors [B, columns], in order, not mixed."""
    columns = [*snapshot.spec.names, *snapshot.spec.label_columns, "position"]
    for file in snapshot.splits["train"]:
        reader = pq.ParquetFile(snapshot.folder / file.path)
        for batch in reader.iter_batches(batch_size=size, columns=columns):
            arrays = [batch.column(name).to_numpy() for name in columns]
            yield torch.from_numpy(np.stack(arrays, axis=1))


def rate(read: Callable[[], int]) -> float:
    """Rows/s of one pass."""
    started = time.perf_counter()
    rows = read()
    return rows / (time.perf_counter() - started)


def readers(snapshot: Snapshot, size: int) -> dict[str, Callable[[], int]]:
    """A pass by each reader; gives the rows that it read."""

    def plain(rows: int) -> Callable[[], int]:
        return lambda: sum(len(tensor) for tensor in iter_batches(snapshot, rows))

    def feed(engine: str) -> Callable[[], int]:
        conf = FeedConf.model_validate({"engine": engine, "batch_size": size})
        rows = Rows("train", epoch=1, shuffle=True)
        return lambda: sum(int(b.weight.sum()) for b in batches(snapshot, rows, conf))

    return {
        f"iter_batches {size:,}": plain(size),
        f"iter_batches {LARGE:,}": plain(LARGE),
        "petastorm": feed("petastorm"),
        "pyarrow": feed("pyarrow"),
    }


def rates(snapshot: Snapshot, size: int, repeats: int) -> dict[str, float]:
    """Median rows/s by reader, after one unmeasured pass of each."""
    passes = readers(snapshot, size)
    found: dict[str, list[float]] = {name: [] for name in passes}
    for repeat in range(repeats + 1):
        for name, read in passes.items():
            value = rate(read)
            if repeat:
                found[name].append(value)
    return {name: statistics.median(values) for name, values in found.items()}


def planted_rates(
    rows: int, features: int, files: int, batch: int, repeats: int
) -> dict[str, float]:
    """Median rows/s by reader over a generated snapshot."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    planted = Planted(rows=(rows, 1_000), files=(files, 1), numerics=features - 2, buckets=4_096)
    with tempfile.TemporaryDirectory(prefix="counterpoise-bench-") as folder:
        return rates(open_snapshot(write_snapshot(Path(folder), planted)), batch, repeats)


def results(found: dict[str, float]) -> list[Result]:
    """The feed over each yardstick."""
    yardsticks = [name for name in found if name.startswith("iter_batches")]
    return [
        Result(
            f"feed (petastorm) over {yardstick}",
            f"{found['petastorm'] / found[yardstick]:.2f} ({found['petastorm']:,.0f} against "
            f"{found[yardstick]:,.0f} rows/s)",
            f">= {TARGET}",
            found["petastorm"] / found[yardstick] >= TARGET,
        )
        for yardstick in yardsticks
    ]


def measure() -> list[Result]:
    """The feed at the size of the default market."""
    return results(planted_rates(ROWS, FEATURES, FILES, BATCH, REPEATS))


def main() -> None:
    """Generate a snapshot, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=ROWS, help="rows of the snapshot")
    parser.add_argument("--features", type=int, default=FEATURES, help="2 of them categories")
    parser.add_argument("--files", type=int, default=FILES)
    parser.add_argument("--batch", type=int, default=BATCH, help="rows a batch")
    parser.add_argument("--repeats", type=int, default=REPEATS)
    a = parser.parse_args()
    found = planted_rates(a.rows, a.features, a.files, a.batch, a.repeats)
    for name, value in found.items():
        print(f"{name:20s} {value / 1e6:6.2f} M rows/s")
    for result in results(found):
        print(f"{result.what}: {result.measured}, {'holds' if result.holds else 'missed'}")


if __name__ == "__main__":
    main()
