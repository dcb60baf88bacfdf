"""Smaller snapshots of whole units, processes that die, and the plots' files."""

import os
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from bench.labels.planted_lists import LIST_ROWS, plant_lists
from conf.sections.model import ModelConf
from conf.sections.training import CalibrationConf, FeedConf, TrainerConf
from jobs.experiments.thin import thin_snapshot
from jobs.experiments.workers import Workers
from model.experiments.training import Training
from model.feed import open_snapshot
from model.standardise import measure_inputs
from model.training.task import TrainTask

EPOCHS = 30


def test_a_thinned_snapshot_holds_whole_lists_and_its_share(tmp_path: Path) -> None:
    whole = open_snapshot(plant_lists(tmp_path / "whole"))
    folder = thin_snapshot(whole, 400, tmp_path)
    small = open_snapshot(folder)
    small.verify()
    assert 200 < small.count_rows("train") < 600 and small.count_rows("test") < whole.count_rows(
        "test"
    )
    codes = pq.read_table(folder / "train.parquet").column("list_code").to_numpy()
    assert (np.unique(codes, return_counts=True)[1] == LIST_ROWS).all()
    assert thin_snapshot(whole, 400, tmp_path) == folder and small.version != whole.version
    assert thin_snapshot(whole, 10_000, tmp_path) == whole.folder


def test_a_training_whose_process_is_killed_goes_on_in_another(tmp_path: Path) -> None:
    snapshot = open_snapshot(plant_lists(tmp_path / "data"))
    task = TrainTask(
        snapshot=snapshot.folder,
        folder=tmp_path / "run",
        scale=measure_inputs(snapshot),
        model=ModelConf(hidden=(8,), tower=()),
        feed=FeedConf(engine="memory", batch_size=16),
        trainer=TrainerConf(epochs=EPOCHS, min_steps=1, progress=False),
        seed=1,
    )
    training = Training("killed", task, CalibrationConf(method="none"))
    ended: list[str] = []
    at: list[int] = []
    with Workers(1) as workers:
        killer = threading.Thread(target=_kill_after_an_epoch, args=(workers, task.folder, at))
        killer.start()
        workers.run_all([training], lambda _, state: ended.append(state["state"]))
        killer.join()
        workers.touch_all([training])
    assert ended == ["finished"] and training.finished
    assert training.read_predictions("test", snapshot).rows == snapshot.count_rows("test")
    assert 0 < at[0] < EPOCHS == _epochs(task.folder)


def _epochs(folder: Path) -> int:
    """Epochs in the log of a training: one that goes on from its checkpoint has each once."""
    log = folder / "metrics.jsonl"
    return len(log.read_text().splitlines()) if log.exists() else 0


def _kill_after_an_epoch(workers: Workers, folder: Path, at: list[int]) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if (folder / "checkpoint.safetensors").exists() and _epochs(folder):
            break
        time.sleep(0.01)
    pool = workers._pool
    assert pool is not None
    for pid in list(pool._processes):
        os.kill(pid, signal.SIGKILL)
    at.append(_epochs(folder))
