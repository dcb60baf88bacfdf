"""Statistics of the train split against numpy, and refusals."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from model.feed import Snapshot, TrainingSnapshotError, open_snapshot
from model.standardise import Standardisation, explain_bad_ids, measure_inputs


def columns(snapshot: Snapshot, name: str) -> np.ndarray:
    files = [snapshot.folder / f.path for f in snapshot.splits["train"]]
    return np.concatenate([pq.read_table(f)[name].to_numpy() for f in files]).astype(float)


def rewrite(folder: Path, name: str, value: float) -> Snapshot:
    path = folder / "train" / "part-00000.parquet"
    table = pq.read_table(path)
    changed = table[name].to_numpy().copy()
    changed[0] = value
    index = table.column_names.index(name)
    pq.write_table(table.set_column(index, name, pa.array(changed)), path)
    return open_snapshot(folder)


def test_means_spreads_and_rates(snapshot: Snapshot, scale: Standardisation) -> None:
    assert scale.rows == 1_000
    assert set(scale.mean) == {f.name for f in snapshot.spec.features if f.kind == "numeric"}
    for name in scale.mean:
        assert scale.mean[name] == pytest.approx(columns(snapshot, name).mean(), rel=1e-6)
        assert scale.std[name] == pytest.approx(columns(snapshot, name).std(), rel=1e-6)
    assert scale.rates["click"] == pytest.approx(columns(snapshot, "label_click").mean())
    known = columns(snapshot, "mask_relevance").sum()
    assert scale.rates["ge_2"] == pytest.approx(columns(snapshot, "label_ge_2").sum() / known)


def test_it_survives_json(scale: Standardisation) -> None:
    assert Standardisation(**json.loads(json.dumps(scale.to_json()))) == scale


def test_values_that_cannot_be_trained_on(own_snapshot: Path) -> None:
    with pytest.raises(
        TrainingSnapshotError, match=r"\['item_1'\] hold values that are not finite"
    ):
        measure_inputs(rewrite(own_snapshot, "item_1", float("nan")))
    rewrite(own_snapshot, "item_1", 0.0)
    with pytest.raises(TrainingSnapshotError, match="item_type: ids run from"):
        measure_inputs(rewrite(own_snapshot, "item_type", 8.0))


def test_a_constant_feature_keeps_the_spread_one(own_snapshot: Path) -> None:
    for i in range(3):
        path = own_snapshot / "train" / f"part-{i:05d}.parquet"
        table = pq.read_table(path)
        flat = pa.array(np.full(len(table), 7.0, np.float32))
        pq.write_table(table.set_column(table.column_names.index("item_0"), "item_0", flat), path)
    found = measure_inputs(open_snapshot(own_snapshot))
    assert found.mean["item_0"] == 7.0 and found.std["item_0"] == 1.0


def test_bad_ids() -> None:
    assert explain_bad_ids(np.array([0.0, 3.0], np.float32), 4) == ""
    assert "0 to 3" in explain_bad_ids(np.array([4.0], np.float32), 4)
    assert "0 to 3" in explain_bad_ids(np.array([-1.0], np.float32), 4)
    assert "whole" in explain_bad_ids(np.array([1.5], np.float32), 4)
    assert explain_bad_ids(np.zeros(0, np.float32), 4) == ""


def test_a_snapshot_without_any_label_is_refused(own_snapshot: Path) -> None:
    for i in range(3):
        path = own_snapshot / "train" / f"part-{i:05d}.parquet"
        table = pq.read_table(path)
        for name in [n for n in table.column_names if n.startswith("mask_")]:
            zeros = pa.array(np.zeros(len(table), np.float32))
            table = table.set_column(table.column_names.index(name), name, zeros)
        pq.write_table(table, path)
    with pytest.raises(TrainingSnapshotError, match="no label of any task"):
        measure_inputs(open_snapshot(own_snapshot))


def test_rows_by_region_and_the_unseen_ones(own_snapshot: Path) -> None:
    found = measure_inputs(rewrite(own_snapshot, "region_index", 0.0))
    ids = columns(open_snapshot(own_snapshot), "region_index").astype(int)
    assert found.region_rows == np.bincount(ids, minlength=3).tolist()
    assert found.region_rows[0] == 1 and found.list_unseen(("north", "south")) == ()
    short = Standardisation({}, {}, {}, 9, region_rows=[1, 0, 8])
    assert short.list_unseen(("north", "south")) == ("north",)
    assert Standardisation({}, {}, {}, 9).list_unseen(("north", "south")) == ()


def test_soft_labels_are_counted_where_they_are_known(own_snapshot: Path) -> None:
    assert measure_inputs(open_snapshot(own_snapshot)).soft_labels == 0
    for name, value in (("label_ge_1", 0.5), ("mask_relevance", 1.0), ("weight_relevance", 0.3)):
        rewrite(own_snapshot, name, value)
    assert measure_inputs(open_snapshot(own_snapshot)).soft_labels == 1
    assert measure_inputs(rewrite(own_snapshot, "mask_relevance", 0.0)).soft_labels == 0


def test_rates_of_grades_weigh_each_label_as_its_source_does(own_snapshot: Path) -> None:
    rewrite(own_snapshot, "mask_relevance", 1.0)
    rewrite(own_snapshot, "label_ge_1", 1.0)
    found = measure_inputs(rewrite(own_snapshot, "weight_relevance", 0.3))
    label, mask, weight = (
        columns(open_snapshot(own_snapshot), name)
        for name in ("label_ge_1", "mask_relevance", "weight_relevance")
    )
    assert found.rates["ge_1"] == pytest.approx(
        (label * mask * weight).sum() / (mask * weight).sum()
    )


def test_quantiles_are_of_the_first_rows_over_all_files(
    snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("model.split_sums.SAMPLE", 400)
    found = measure_inputs(snapshot).quantiles
    assert list(found) == [f.name for f in snapshot.spec.features if f.kind == "numeric"]
    for name, grid in found.items():
        expected = np.quantile(columns(snapshot, name)[:400], np.arange(65) / 64)
        np.testing.assert_allclose(grid, expected, rtol=1e-6)


def test_edges_cut_into_equal_mass_and_a_shared_value_is_one_edge() -> None:
    quantiles = {"price": [float(i) for i in range(65)], "sale": [0.0] * 40 + [1.0] * 25}
    scale = Standardisation({}, {}, {}, 9, quantiles=quantiles)
    assert scale.compute_edges("price", 4) == [0.0, 16.0, 32.0, 48.0, 64.0]
    assert scale.compute_edges("sale", 4) == [0.0, 1.0]
    assert scale.compute_edges("unknown", 4) == []
