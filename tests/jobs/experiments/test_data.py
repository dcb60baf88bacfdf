"""Snapshots of the experiments: a session log of our own, and the chain on a tiny market."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from pyspark.sql import SparkSession

from conf.load import ResolvedConf
from features.contracts import IMPRESSIONS, QUARANTINE, TEXT_EMBEDDINGS, TEXTS
from features.examples.experiment_rows import CODES, JUDGED, LOGGED
from features.examples.snapshot import LIST_HASH, PAGE_HASH, TRAINING
from jobs import build_training_set
from jobs.experiment import experiment_snapshot
from jobs.experiments import chain_data
from jobs.experiments.chain_data import borrow_texts, set_root, write_examples
from jobs.experiments.trivago_data import FILE
from jobs.platform.runner import open_warehouse
from jobs.sources.base import SourceError, load_adapter
from model.feed import open_snapshot

MakeConf = Callable[..., ResolvedConf]
Values = NDArray[np.float32]
SPLITS = ("train", "validation", "test")
USERS = 30


def write_log(folder: Path) -> None:
    """Each user engages with b, then clicks b or a; one more clickout has no list."""
    rows = []
    for number in range(USERS):
        at = 1_541_600_000 + 60 * number
        common = {
            "user_id": f"u{number}",
            "session_id": f"s{number}",
            "platform": ("FR", "DE", "UK")[number % 3],
            "city": "Paris",
            "device": "desktop",
        }
        clicked = "b" if number % 2 else "a"
        shown = {"reference": clicked, "impressions": "a|b|c", "prices": "10|20|30"}
        steps: list[dict[str, Any]] = [
            {"action_type": "interaction item info", "reference": "b"},
            {"action_type": "clickout item", **shown},
        ]
        if number == 0:
            steps.append({"action_type": "clickout item", "reference": "a"})
        rows += [
            {**common, "timestamp": at + step, "step": step, **action}
            for step, action in enumerate(steps, 1)
        ]
    columns = ["current_filters", "impressions", "prices"]
    pd.DataFrame(rows).reindex(columns=[*rows[0], *columns]).astype(
        dict.fromkeys(columns, "object")
    ).to_parquet(folder / FILE)


def values_of(folder: Path, split: str) -> dict[str, Values]:
    files = [folder / file.path for file in open_snapshot(folder).splits[split]]
    frame = pd.concat([pd.read_parquet(file) for file in files])
    return {str(name): frame[name].to_numpy() for name in frame.columns}


def test_a_session_log_becomes_a_snapshot_once(
    spark: SparkSession, make_conf: MakeConf, tmp_path: Path
) -> None:
    write_log(tmp_path)
    conf = make_conf(
        f"source.path={tmp_path}",
        "source.largest_sites=2",
        "source.logged_rank=true",
        files=("trivago.yaml",),
    )
    folder = experiment_snapshot(spark, conf)
    manifest = json.loads((folder / "manifest.json").read_text())
    snapshot = open_snapshot(folder)
    snapshot.verify()
    assert (manifest["tasks"], manifest["relevance"]) == (["engaged", "clickout"], False)
    assert manifest["regions"][-1] == "other" and len(manifest["regions"]) == 3
    assert manifest["data"] == {"actions": 2 * USERS + 1, "quarantined": {"no_list": 1}}
    by_split = {split: values_of(folder, split) for split in SPLITS}
    assert {s: len(v["position"]) for s, v in by_split.items()} == {
        split: 3 * sum(bucket(f"u{n}") in conf.tree.split.model_dump()[split] for n in range(USERS))
        for split in SPLITS
    }
    whole = {name: np.concatenate([by_split[s][name] for s in SPLITS]) for name in CODES}
    assert sorted(set(whole["list_code"])) == list(range(USERS))
    assert sorted(set(whole["item_code"])) == [0, 1, 2]
    test = by_split["test"]
    assert {v.dtype for v in test.values()} == {np.dtype(np.float32)}
    assert [*test] == [*snapshot.spec.names, "position", *LABELS, *CODES, *JUDGED]
    np.testing.assert_array_equal(test["label_engaged"], test["position"] == 2)
    np.testing.assert_allclose(test["logged_rank"], np.log(test["position"]), rtol=1e-6)
    assert test["label_clickout"].sum() == len(set(test["list_code"]))
    users = [set(by_split[split]["unit_code"]) for split in SPLITS]
    assert sum(map(len, users)) == len(set.union(*users)) == USERS
    kept = open_warehouse(spark, conf, "test")[0].read(QUARANTINE).collect()
    assert [(r["table_name"], r["rule"]) for r in kept] == [("trivago_actions", "no_list")]
    touched = (folder / "manifest.json").stat().st_mtime_ns
    assert experiment_snapshot(spark, conf) == folder
    assert (folder / "manifest.json").stat().st_mtime_ns == touched


LABELS = ("label_engaged", "mask_engaged", "label_clickout", "mask_clickout")


def bucket(user: str) -> int:
    return crc32(user.encode()) % 10


def test_a_session_log_is_not_for_the_chain(spark: SparkSession, make_conf: MakeConf) -> None:
    conf = make_conf("source.path=nowhere", files=("trivago.yaml",))
    with pytest.raises(SourceError, match="lacks item texts, carts or purchases"):
        load_adapter(conf.source.kind)
    with pytest.raises(SourceError, match=FILE.partition(".")[0]):
        experiment_snapshot(spark, conf)


def test_a_dry_run_writes_nothing(spark: SparkSession, make_conf: MakeConf, tmp_path: Path) -> None:
    write_log(tmp_path)
    conf = make_conf(f"source.path={tmp_path}", files=("trivago.yaml",), dry_run=True)
    assert not experiment_snapshot(spark, conf).exists()
    assert not (tmp_path / "warehouse").exists()


def test_training_examples_become_a_snapshot(tiny_run: Any, tmp_path: Path) -> None:
    """10 queries with 12 impressions each, and a labelled pair that none of them shows."""
    build_training_set.JOB.run(tiny_run.spark, tiny_run.conf())
    folder = write_examples(tiny_run.warehouse(), tmp_path / "made")
    snapshot = open_snapshot(folder)
    snapshot.verify()
    assert {split: snapshot.count_rows(split) for split in SPLITS} == {
        "train": 8 * 13,
        "validation": 13,
        "test": 13,
    }
    assert json.loads((folder / "manifest.json").read_text())["relevance"] is True
    test = values_of(folder, "test")
    trained = [name for name in TRAINING.columns if name not in (*PAGE_HASH, *LIST_HASH)]
    assert [*test] == [*trained, *CODES, *JUDGED, *LOGGED]
    np.testing.assert_array_equal(test["page_code"] >= 0, test["position"] > 0)
    assert len(set(test["page_code"])) == 4  # three days, and never shown
    assert (len(set(test["list_code"])), len(set(test["item_code"]))) == (1, 5)
    assert sorted(test["grade"][test["judged"] == 1]) == [0.0, 2.0]


def test_a_chain_has_a_root_named_by_its_data_and_runs_once(
    spark: SparkSession, make_conf: MakeConf, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny = ("source.items=50", "source.queries=10", "source.impressions=200", "source.days=2")
    conf = set_root(make_conf(*tiny))
    assert set_root(make_conf(*tiny, "model.hidden=[8]")).tree.storage == conf.tree.storage
    assert set_root(make_conf(*tiny, "seed=3")).tree.storage != conf.tree.storage
    monkeypatch.setattr(chain_data, "STEPS", ("ingest",))
    warehouse = open_warehouse(spark, conf, "test")[0]
    for _ in range(2):
        chain_data.run_steps(warehouse)
        assert warehouse.read_version(IMPRESSIONS) == 1  # made, written once


def test_chains_beside_each_other_share_embeddings(tmp_path: Path) -> None:
    for table in (TEXT_EMBEDDINGS, TEXTS):
        made = tmp_path / "one" / "tables" / table.name
        made.mkdir(parents=True)
        (made / "part").write_text(table.name)
    borrow_texts(tmp_path / "two")
    borrow_texts(tmp_path / "two")
    for table in (TEXT_EMBEDDINGS, TEXTS):
        copied = tmp_path / "two" / "tables" / table.name
        assert (copied / "part").read_text() == table.name
    assert not list((tmp_path / "two").glob(".*"))


@pytest.mark.realdata
def test_the_real_log(spark: SparkSession, make_conf: MakeConf, real_data: Path) -> None:
    if not (real_data / FILE).is_file():
        pytest.skip(f"no {FILE} in {real_data}")
    conf = make_conf(f"source.path={real_data}", files=("trivago.yaml",))
    folder = experiment_snapshot(spark, conf)
    rows = [values_of(folder, split) for split in SPLITS]
    engaged, clicked = (
        np.concatenate([part[f"label_{task}"] for part in rows]) for task in ("engaged", "clickout")
    )
    assert engaged.mean() == pytest.approx(0.032, abs=0.004)
    assert clicked[engaged == 1].mean() == pytest.approx(0.414, abs=0.03)
    assert clicked[engaged == 0].mean() == pytest.approx(0.031, abs=0.003)
    assert all(np.isfinite(values).all() for part in rows for values in part.values())
