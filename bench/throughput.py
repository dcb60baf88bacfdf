"""Speed of training: against torch-rechub's MMoE, and of every backbone against the shared bottom.

    python -m bench throughput
    python -m bench.throughput --rows 100000

Training: rows/s of our trainer with its feed against torch-rechub's trainer with its loader, over
the same snapshot, kept in memory by both (ours: engine `memory`; validation and checkpoint are
in its time). MMoE of 4 experts, equal layers and batch size, 4 tasks, one thread; both train an
epoch in turn, the first one not counted, median of the others. The loader takes the numeric
features as one vector, which suits it best; what it does with a column a feature is shown beside.
torch-rechub's layers have a batch normalisation each, which is theirs to pay.

Steps: forward and backward pass of the whole ranker at the shared bottom's number of parameters
(widths solved for, within 2 %), one batch, all backbones and region parts in turn, median of the
repeats. PLE and
AdaTT come closest to the limit: a layer has tasks x experts gates, each of which reads a whole
expert for two operations a number, so that memory and not arithmetic sets their pace.
"""

import argparse
import contextlib
import io
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import torch

from bench.result import Result
from bench.synthetic import Planted, write_snapshot
from conf.sections.model import ModelConf
from conf.sections.training import FeedConf, TrainerConf
from model.backbones import BACKBONES
from model.feed import Batch, RowSelection, Snapshot, open_snapshot, read_batches
from model.losses import total_loss
from model.ranker import build_ranker
from model.regions import PARTS
from model.sizing import count_parameters, size_conf
from model.standardise import Standardisation
from model.standardise import measure_inputs as measured_scale
from model.training.task import TrainTask
from model.training.trainer import load_trained, train

FASTER, SLOWER = 2.0, 2.0
"""Times that our training must be faster, and that a backbone may be slower."""
OWN_SLOWER = {"tabm": float(ModelConf().members)}
"""Times that a backbone of several networks may be slower: as these one by one."""
ROWS, FEATURES, BATCH, EPOCHS, STEPS = 100_000, 58, 1_024, 3, 60
"""Size of the default market; measured epochs and steps."""
MODEL = ModelConf(backbone="mmoe", experts=4, hidden=(128, 64), tower=(32,))
"""MMoE at the size that both trainers build."""
OURS, VECTOR, COLUMNS = "ours", "torch-rechub, a vector", "torch-rechub, columns"
ARMS: dict[str, dict[str, str]] = {
    **{name: {"backbone": name} for name in BACKBONES},
    **{f"shared_bottom, {name}": {"region_mask": name} for name in PARTS if name != "none"},
    "seq, md": {"backbone": "seq", "region_mask": "md"},
}
LABELS = ("label_click", "label_cart", "label_purchase", "label_ge_1")


def measure_training_rates(snapshot: Snapshot, folder: Path, epochs: int) -> dict[str, float]:
    """Measure rows/s by trainer: median of `epochs` epochs after an unmeasured one, in turn."""
    scale = measured_scale(snapshot)
    theirs = {name: build_their_epoch(snapshot, name == VECTOR) for name in (VECTOR, COLUMNS)}
    by_trainer: dict[str, list[float]] = {name: [] for name in (OURS, VECTOR, COLUMNS)}
    for repeat in range(epochs + 1):
        by_trainer[OURS].append(measure_our_rate(snapshot, scale, folder / str(repeat)))
        for name, epoch in theirs.items():
            started = time.perf_counter()
            with (
                contextlib.redirect_stderr(io.StringIO()),
                contextlib.redirect_stdout(io.StringIO()),
            ):
                epoch()
            by_trainer[name].append(snapshot.count_rows("train") / (time.perf_counter() - started))
    return {name: statistics.median(rates[1:]) for name, rates in by_trainer.items()}


def measure_our_rate(snapshot: Snapshot, scale: Standardisation, folder: Path) -> float:
    """Measure the rows/s of the second epoch of our trainer."""
    feed = FeedConf(engine="memory", batch_size=BATCH)
    trainer = TrainerConf(epochs=2, min_steps=1, device="cpu", progress=False)
    task = TrainTask(snapshot.folder, folder, scale, MODEL, feed, trainer, seed=1)
    train(task)
    record = load_trained(task)[1].history[1]
    return float(record["rows"]["train"] / record["seconds"])


def build_their_epoch(snapshot: Snapshot, as_vector: bool) -> Callable[[], Any]:
    """Build a function that runs one epoch of torch-rechub's trainer over its loader."""
    from torch_rechub.trainers import MTLTrainer
    from torch_rechub.utils.data import DataGenerator

    columns = _read_columns(snapshot)
    declared, x = _declare_features(snapshot, columns, as_vector)
    y = np.stack([columns[name] for name in LABELS], axis=1)
    splits = {"x_val": x, "y_val": y, "x_test": x, "y_test": y}
    loader = DataGenerator(x, y).generate_dataloader(**splits, batch_size=BATCH)[0]
    trainer = MTLTrainer(
        _build_their_model(declared), ["classification"] * len(LABELS), device="cpu"
    )
    return lambda: trainer.train_one_epoch(loader)


def measure_steps(
    snapshot: Snapshot, scale: Standardisation, repeats: int
) -> dict[str, tuple[float, int]]:
    """Measure the median seconds of forward and backward, and parameters, by arm at equal size."""
    batch = next(
        read_batches(snapshot, RowSelection("train"), FeedConf(engine="pyarrow", batch_size=BATCH))
    )
    target = count_parameters(snapshot.spec, ModelConf())
    steps, counts = {}, {}
    for name, parts in ARMS.items():
        conf = size_conf(snapshot.spec, ModelConf.model_validate(parts), target)
        counts[name] = count_parameters(snapshot.spec, conf)
        steps[name] = _build_step(snapshot, scale, conf, batch)
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for repeat in range(repeats + 3):
        for name, step in steps.items():
            started = time.perf_counter()
            step()
            if repeat >= 3:
                seconds[name].append(time.perf_counter() - started)
    return {name: (statistics.median(times), counts[name]) for name, times in seconds.items()}


def build_results(rates: dict[str, float], seconds: dict[str, tuple[float, int]]) -> list[Result]:
    """Hold training against torch-rechub, then every backbone against the shared bottom."""
    ours, theirs = rates[OURS], rates[VECTOR]
    shared = seconds["shared_bottom"][0]
    lines = [
        Result(
            "training of MMoE over torch-rechub's",
            f"{ours / theirs:.1f} ({ours:,.0f} against {theirs:,.0f} rows/s; with a column a "
            f"feature {rates[COLUMNS]:,.0f})",
            f">= {FASTER:g}",
            ours >= FASTER * theirs,
        )
    ]
    for name, (second, count) in seconds.items():
        slower = OWN_SLOWER.get(name, SLOWER)
        lines.append(
            Result(
                f"forward and backward of {name} over shared_bottom",
                f"{second / shared:.2f} ({second * 1e3:.1f} ms per batch of {BATCH:,}, "
                f"{count:,} parameters)",
                f"<= {slower:g}",
                second <= slower * shared,
            )
        )
    return lines


def measure_all(rows: int, epochs: int, repeats: int) -> list[Result]:
    """Measure everything on a generated snapshot."""
    torch.set_num_threads(1)
    planted = Planted(rows=(rows, 1_000), files=(8, 1), numerics=FEATURES - 2, buckets=64)
    with tempfile.TemporaryDirectory(prefix="counterpoise-bench-") as name:
        folder = Path(name)
        snapshot = open_snapshot(write_snapshot(folder / "snapshot", planted))
        rates = measure_training_rates(snapshot, folder, epochs)
        return build_results(rates, measure_steps(snapshot, measured_scale(snapshot), repeats))


def measure() -> list[Result]:
    """Measure the figures with a limit."""
    return measure_all(ROWS, EPOCHS, STEPS)


def _build_step(
    snapshot: Snapshot, scale: Standardisation, conf: ModelConf, batch: Batch
) -> Callable[[], None]:
    ranker = build_ranker(snapshot.spec, scale, conf)

    def step() -> None:
        ranker.zero_grad(set_to_none=True)
        torch.autograd.backward(total_loss(ranker(batch), {}))

    return step


def _read_columns(snapshot: Snapshot) -> dict[str, Any]:
    files = [snapshot.folder / file.path for file in snapshot.splits["train"]]
    table = pq.read_table(files)
    return {name: table.column(name).to_numpy() for name in table.column_names}


def _declare_features(
    snapshot: Snapshot, columns: dict[str, Any], as_vector: bool
) -> tuple[list[Any], dict[str, Any]]:
    """Build their feature declarations and the arrays by name, numeric features standardised."""
    from torch_rechub.basic.features import DenseFeature, SparseFeature

    categories = [f for f in snapshot.spec.features if f.kind == "category"]
    numeric = [f.name for f in snapshot.spec.features if f.kind == "numeric"]
    x = {f.name: columns[f.name].astype(np.int64) for f in categories}
    declared: list[Any] = [SparseFeature(f.name, f.buckets, embed_dim=2) for f in categories]
    scaled = {
        name: (columns[name] - columns[name].mean()) / columns[name].std() for name in numeric
    }
    if as_vector:
        x["numeric"] = np.stack([scaled[name] for name in numeric], axis=1)
        return [*declared, DenseFeature("numeric", embed_dim=len(numeric))], x
    return [*declared, *(DenseFeature(name) for name in numeric)], x | scaled


def _build_their_model(declared: list[Any]) -> torch.nn.Module:
    from torch_rechub.models.multi_task import MMOE

    widths, towers = {"dims": list(MODEL.hidden)}, [{"dims": list(MODEL.tower)} for _ in LABELS]
    types = ["classification"] * len(LABELS)
    model: torch.nn.Module = MMOE(declared, types, MODEL.experts, widths, towers)
    return model


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=ROWS, help="rows of the snapshot")
    parser.add_argument("--epochs", type=int, default=EPOCHS, help="measured epochs of each")
    parser.add_argument("--repeats", type=int, default=STEPS, help="measured steps a backbone")
    a = parser.parse_args()
    for result in measure_all(a.rows, a.epochs, a.repeats):
        print(f"{result.what}: {result.measured}, {'holds' if result.holds else 'missed'}")


if __name__ == "__main__":
    main()
