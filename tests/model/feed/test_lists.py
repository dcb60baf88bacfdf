"""List codes, batches of whole lists, and the engine that keeps files in memory."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from conf.sections.training import FeedConf
from model.feed import (
    Batch,
    FeedError,
    ListError,
    RowSelection,
    Snapshot,
    open_snapshot,
    read_batches,
)
from model.feed.lists import cut_list_blocks, require_lists
from model.feed.memory import _read_cached
from model.feed.resident import _load_rows


def conf(**settings: object) -> FeedConf:
    return FeedConf.model_validate(
        {"engine": "memory", "batch_size": 64, "shuffle_files": 3, "group_by_list": True} | settings
    )


def whole(found: list[Batch]) -> torch.Tensor:
    """Real rows as one matrix, the list last, in a fixed order."""
    rows = torch.cat(
        [
            torch.cat([b.features, b.labels, b.position[:, None], b.list_code[:, None]], dim=1)[
                b.weight > 0
            ]
            for b in found
        ]
    ).numpy()
    return torch.from_numpy(rows[np.lexsort(rows.T)])


def test_a_snapshot_without_lists_has_code_0(snapshot: Snapshot, listed: Snapshot) -> None:
    plain = next(read_batches(snapshot, RowSelection("train"), conf(group_by_list=False)))
    coded = next(read_batches(listed, RowSelection("train"), conf(group_by_list=False)))
    assert plain.list_code.tolist() == [0.0] * 64
    assert coded.list_code.tolist() == [float(i // 20) for i in range(64)]
    assert torch.equal(plain.features, coded.features) and torch.equal(plain.labels, coded.labels)


@pytest.mark.parametrize("split", ["train", "validation"])
def test_a_batch_holds_whole_lists(listed: Snapshot, split: str) -> None:
    found = list(
        read_batches(listed, RowSelection(split, epoch=2, seed=5, shuffle=split == "train"), conf())
    )
    assert all(len(b.features) == 64 for b in found)
    seen: list[float] = []
    for batch in found:
        codes = batch.list_code[batch.weight > 0]
        assert len(codes) <= 64
        seen += codes.unique().tolist()
    assert len(seen) == len(set(seen)) == (50 if split == "train" else 15)
    in_order = list(read_batches(listed, RowSelection(split), conf(group_by_list=False)))
    torch.testing.assert_close(whole(found), whole(in_order))


def test_lists_are_shuffled_as_a_function_of_seed_and_epoch(listed: Snapshot) -> None:
    def order(epoch: int) -> list[float]:
        rows = RowSelection("train", epoch=epoch, seed=5, shuffle=True)
        return torch.cat(
            [b.list_code[b.weight > 0] for b in read_batches(listed, rows, conf())]
        ).tolist()

    assert order(1) == order(1) != order(2)
    first = [code for i, code in enumerate(order(1)) if i == 0 or order(1)[i - 1] != code]
    assert first != sorted(first)


def test_lists_over_files_that_are_not_read_together_are_an_error(listed: Snapshot) -> None:
    with pytest.raises(ListError, match=r"list 16 has rows in files .* feed.shuffle_files"):
        list(read_batches(listed, RowSelection("train"), conf(shuffle_files=1)))


def test_lists_that_cannot_be_had(snapshot: Snapshot, listed: Snapshot) -> None:
    with pytest.raises(ListError, match="has no column list_code"):
        next(read_batches(snapshot, RowSelection("train"), conf()))
    with pytest.raises(ListError, match="needs one process"):
        next(read_batches(listed, RowSelection("train", 0, 2), conf()))
    with pytest.raises(ListError, match=r"set feed\.group_by_list: true"):
        require_lists(listed, conf(group_by_list=False))


@given(
    st.lists(st.integers(0, 9), max_size=60),
    st.integers(1, 12),
    st.one_of(st.none(), st.integers(0, 99)),
)
def test_blocks_of_lists_keep_every_row(codes: list[int], size: int, seed: int | None) -> None:
    rows = np.stack([np.arange(len(codes)), codes], axis=1).astype(np.float32)
    mix = None if seed is None else np.random.default_rng(seed)
    blocks = list(cut_list_blocks([rows], size, mix))
    assert all(1 <= len(block) <= size for block in blocks)
    kept = np.concatenate(blocks)[:, 0] if blocks else np.zeros(0)
    assert sorted(kept.tolist()) == list(range(len(codes)))
    for code in set(codes):
        holders = [b for b in blocks if (b[:, 1] == code).any()]
        fewest = -(-codes.count(code) // size)
        assert len(holders) == fewest or (fewest > 1 and len(holders) == fewest + 1)


def test_memory_gives_what_pyarrow_gives(snapshot: Snapshot) -> None:
    rows = RowSelection("train", epoch=2, seed=5, shuffle=True)
    plain = conf(group_by_list=False, shuffle_files=2)
    for _ in range(2):
        for a, b in zip(
            read_batches(snapshot, rows, plain),
            read_batches(snapshot, rows, plain.model_copy(update={"engine": "pyarrow"})),
            strict=True,
        ):
            assert torch.equal(a.features, b.features) and torch.equal(a.labels, b.labels)


@pytest.mark.parametrize(
    ("lists", "kept", "first", "changed"), [(False, _load_rows, 1, 2), (True, _read_cached, 3, 4)]
)
def test_memory_reads_once_and_again_when_a_file_changes(
    listed: Snapshot, tmp_path: Path, lists: bool, kept: Any, first: int, changed: int
) -> None:
    folder = tmp_path / "own"
    shutil.copytree(listed.folder, folder)
    opened, plain = open_snapshot(folder), conf(group_by_list=lists, shuffle_files=3)
    kept.cache_clear()
    for _ in range(3):
        list(read_batches(opened, RowSelection("train"), plain))
    assert kept.cache_info().misses == first
    (folder / opened.splits["train"][0].path).touch()
    list(read_batches(opened, RowSelection("train"), plain))
    assert kept.cache_info().misses == changed


def test_memory_checks_the_rows_of_the_manifest(own_snapshot: Path, snapshot: Snapshot) -> None:
    path = own_snapshot / "train" / "part-00000.parquet"
    shutil.copyfile(snapshot.folder / "train" / "part-00000.parquet", path)
    with pytest.raises(FeedError, match="353 rows read, the manifest has 30"):
        list(
            read_batches(
                open_snapshot(own_snapshot), RowSelection("train"), conf(group_by_list=False)
            )
        )


def test_a_batch_cannot_change_what_is_kept(snapshot: Snapshot) -> None:
    plain = conf(group_by_list=False, shuffle_files=1, batch_size=333)
    first = next(read_batches(snapshot, RowSelection("train"), plain))
    before = first.features.clone()
    first.features.add_(1.0)
    torch.testing.assert_close(
        next(read_batches(snapshot, RowSelection("train"), plain)).features, before
    )
