"""Both engines: the manifest's rows, equal steps, reproducible order, refusals."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from conf.sections.training import FeedConf
from features.contracts.training import LABEL_COLUMNS
from model.feed import (
    Batch,
    FeedError,
    RowSelection,
    Snapshot,
    TrainingSnapshotError,
    count_steps,
    open_snapshot,
    read_batches,
)
from model.feed.base import _cut_blocks
from model.feed.engines import Floats
from model.feed.resident import fits_on_device
from model.feed.rows import cut_batch

ENGINES = ("petastorm", "pyarrow", "memory")


def read(snapshot: Snapshot, rows: RowSelection, engine: str, size: int = 64) -> list[Batch]:
    conf = FeedConf.model_validate({"engine": engine, "batch_size": size, "shuffle_files": 2})
    return list(read_batches(snapshot, rows, conf))


def packed(found: Sequence[Batch]) -> torch.Tensor:
    """Real rows as one matrix: features, labels, position."""
    return torch.cat(
        [
            torch.cat([b.features, b.labels, b.position.unsqueeze(1)], dim=1)[b.weight > 0]
            for b in found
        ]
    )


def sorted_rows(matrix: torch.Tensor) -> np.ndarray:
    values = matrix.numpy()
    return values[np.lexsort(values.T)]


def stored(snapshot: Snapshot, split: str) -> torch.Tensor:
    columns = [*snapshot.spec.names, *snapshot.spec.label_columns, "position"]
    tables = [pq.read_table(snapshot.folder / f.path) for f in snapshot.splits[split]]
    return torch.cat(
        [torch.from_numpy(np.stack([t[c].to_numpy() for c in columns], axis=1)) for t in tables]
    )


@pytest.mark.parametrize("engine", ENGINES)
def test_an_epoch_gives_every_row_of_the_manifest_once(snapshot: Snapshot, engine: str) -> None:
    found = read(snapshot, RowSelection("train", epoch=3, seed=9, shuffle=True), engine)
    assert len(found) == count_steps(snapshot, RowSelection("train"), 64) == 16
    assert all(len(b.features) == 64 for b in found)
    assert sum(float(b.weight.sum()) for b in found) == 1_000
    np.testing.assert_array_equal(
        sorted_rows(packed(found)), sorted_rows(stored(snapshot, "train"))
    )


@pytest.mark.parametrize("engine", ENGINES)
def test_without_shuffle_rows_come_in_the_order_of_the_files(
    snapshot: Snapshot, engine: str
) -> None:
    found = read(snapshot, RowSelection("validation"), engine)
    assert torch.equal(packed(found), stored(snapshot, "validation"))


@pytest.mark.parametrize("engine", ["petastorm", "memory"])
@pytest.mark.parametrize("shard", [0, 1])
def test_all_engines_give_the_same_batches(snapshot: Snapshot, engine: str, shard: int) -> None:
    rows = RowSelection("train", shard, 2, epoch=2, seed=5, shuffle=True)
    for a, b in zip(read(snapshot, rows, engine), read(snapshot, rows, "pyarrow"), strict=True):
        assert torch.equal(a.features, b.features) and torch.equal(a.labels, b.labels)
        assert torch.equal(a.position, b.position) and torch.equal(a.weight, b.weight)


@pytest.mark.parametrize("engine", ENGINES)
def test_order_is_a_function_of_seed_and_epoch(snapshot: Snapshot, engine: str) -> None:
    def order(epoch: int, seed: int) -> torch.Tensor:
        return packed(
            read(snapshot, RowSelection("train", 0, 1, epoch, seed, shuffle=True), engine)
        )

    assert torch.equal(order(1, 5), order(1, 5))
    assert not torch.equal(order(1, 5), order(2, 5))
    assert not torch.equal(order(1, 5), order(1, 6))


def test_files_and_rows_are_both_mixed(snapshot: Snapshot) -> None:
    """One file at a time: the set of the first 300 rows tells the file, their order the mixing."""
    conf = FeedConf(engine="petastorm", batch_size=300, shuffle_files=1)
    in_order = stored(snapshot, "train")
    files = [set(map(tuple, part.tolist())) for part in in_order.split([333, 333, 334])]
    first = set()
    for epoch in range(1, 7):
        rows = RowSelection("train", epoch=epoch, seed=5, shuffle=True)
        block = packed([next(read_batches(snapshot, rows, conf))]).tolist()
        (file,) = [i for i, known in enumerate(files) if set(map(tuple, block)) <= known]
        first.add(file)
        start = 333 * file
        assert block != in_order[start : start + 300].tolist()
    assert first == {0, 1, 2}


@pytest.mark.parametrize("engine", ENGINES)
def test_shards_take_equal_steps_and_no_row_twice(snapshot: Snapshot, engine: str) -> None:
    shards = [
        read(snapshot, RowSelection("train", s, 2, 1, 5, shuffle=True), engine) for s in (0, 1)
    ]
    assert len(shards[0]) == len(shards[1]) == 11  # shard 0 has 2 of the 3 files: 667 rows
    assert [sum(float(b.weight.sum()) for b in found) for found in shards] == [667, 333]
    both = torch.cat([packed(found) for found in shards])
    np.testing.assert_array_equal(sorted_rows(both), sorted_rows(stored(snapshot, "train")))
    padding = shards[1][-1]
    assert float(padding.weight.sum()) == 0 and float(padding.labels.abs().sum()) == 0


def test_a_shard_without_files_only_pads(own_snapshot: Path) -> None:
    found = read(open_snapshot(own_snapshot), RowSelection("train", 4, 5), "petastorm")
    assert len(found) == 1 and float(found[0].weight.sum()) == 0


@pytest.mark.parametrize("engine", ENGINES)
def test_rows_that_differ_from_the_manifest_are_an_error(own_snapshot: Path, engine: str) -> None:
    path = own_snapshot / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["splits"]["train"]["files"][0]["rows"] += 1
    manifest["splits"]["train"]["rows"] += 1
    path.write_text(json.dumps(manifest))
    with pytest.raises(FeedError, match="30 rows read, the manifest has 31"):
        read(open_snapshot(own_snapshot), RowSelection("train"), engine)


def test_more_rows_than_the_manifest_says_are_an_error(own_snapshot: Path) -> None:
    path = own_snapshot / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["splits"]["train"]["files"][0]["rows"] -= 4
    manifest["splits"]["train"]["rows"] -= 4
    path.write_text(json.dumps(manifest))
    with pytest.raises(FeedError, match="30 rows read, the manifest has 26"):
        read(open_snapshot(own_snapshot), RowSelection("train"), "pyarrow")


def test_a_batch_is_packed_and_cut_without_loss(listed: Snapshot) -> None:
    """As it is sent to another device: here only the shapes can be seen there."""
    conf = FeedConf(engine="pyarrow", batch_size=150)
    batch = list(read_batches(listed, RowSelection("train"), conf))[-1]
    found = cut_batch(batch.pack(), batch.features.shape[1], batch.label_names)
    away = batch.to(torch.device("meta"))
    for name in ("features", "labels", "position", "weight", "list_code"):
        assert torch.equal(getattr(found, name), getattr(batch, name)), name
        assert getattr(away, name).shape == getattr(batch, name).shape
        assert getattr(away, name).device.type == "meta"
    assert float(batch.weight.sum()) == 100 and len(batch.list_code.unique()) > 2
    assert batch.to(torch.device("cpu")) is batch


def test_a_split_is_held_on_the_device_that_trains_where_it_fits() -> None:
    conf, cpu, gpu = (
        FeedConf(engine="memory", device_bytes=800),
        *map(torch.device, ("cpu", "cuda")),
    )
    assert fits_on_device(conf, 100, 2, gpu) and not fits_on_device(conf, 101, 2, gpu)
    assert fits_on_device(conf, 101, 2, cpu), "main memory is not bounded"
    assert not fits_on_device(FeedConf(engine="pyarrow"), 1, 1, cpu)
    assert not fits_on_device(FeedConf(engine="memory", group_by_list=True), 1, 1, cpu)


def test_held_rows_are_read_again_when_a_file_changes(own_snapshot: Path) -> None:
    before = packed(read(open_snapshot(own_snapshot), RowSelection("train"), "memory"))
    path = own_snapshot / "train" / "part-00001.parquet"
    table = pq.read_table(path)
    pq.write_table(table.slice(0, 4), path)
    with pytest.raises(FeedError, match="24 rows read, the manifest has 30"):
        read(open_snapshot(own_snapshot), RowSelection("train"), "memory")
    assert len(before) == 30


def test_a_changed_file_is_refused(own_snapshot: Path) -> None:
    snapshot = open_snapshot(own_snapshot)
    snapshot.verify()
    path = own_snapshot / snapshot.splits["train"][1].path
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(TrainingSnapshotError, match=r"part-00001.parquet differs"):
        snapshot.verify()
    path.unlink()
    with pytest.raises(TrainingSnapshotError, match="missing"):
        snapshot.verify()


@pytest.mark.parametrize("name", ["_common_metadata", "_metadata"])
def test_a_file_that_readers_unpickle_is_refused(own_snapshot: Path, name: str) -> None:
    (own_snapshot / "train" / name).write_bytes(b"")
    with pytest.raises(TrainingSnapshotError, match="unpickle"):
        open_snapshot(own_snapshot).verify()


def test_manifests_that_cannot_be_used(own_snapshot: Path) -> None:
    with pytest.raises(FileNotFoundError, match="build_training_set"):
        open_snapshot(own_snapshot / "nowhere")
    path = own_snapshot / "manifest.json"
    manifest = json.loads(path.read_text())
    for key, value, reason in (
        ("splits", {"train": manifest["splits"]["train"]}, "no rows in split validation"),
        ("features", [{"name": "a", "table": "item", "unknown": 1}], "unknown"),
        ("tasks", ["relevance"], "engagement steps"),
    ):
        path.write_text(json.dumps(manifest | {key: value}))
        with pytest.raises(TrainingSnapshotError, match=reason):
            open_snapshot(own_snapshot)
    outside = json.loads(json.dumps(manifest))
    outside["splits"]["train"]["files"][0]["path"] = "../../x.parquet"
    path.write_text(json.dumps(outside))
    with pytest.raises(TrainingSnapshotError, match="outside"):
        open_snapshot(own_snapshot)


def test_label_columns_are_those_of_the_training_contract(snapshot: Snapshot) -> None:
    assert snapshot.spec.label_columns == [name for name, _, _ in LABEL_COLUMNS]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 20), max_size=6), st.integers(1, 9))
def test_blocks_keep_every_row_in_order(lengths: list[int], size: int) -> None:
    values = np.arange(sum(lengths), dtype=np.float32)

    def matrices() -> Iterator[Floats]:
        for part in np.split(values, np.cumsum(lengths)[:-1]) if lengths else []:
            yield part[:, None]

    blocks = list(_cut_blocks(matrices(), size))
    assert all(len(b) == size for b in blocks[:-1])
    joined = np.concatenate(blocks)[:, 0] if blocks else np.zeros(0, np.float32)
    np.testing.assert_array_equal(joined, values)
