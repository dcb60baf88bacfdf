"""Training stops in time, keeps the right weights, and goes on after a kill bit for bit."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import model.training.trainer
from bench.synthetic import Planted, write_snapshot
from conf.sections.model import ModelConf
from conf.sections.training import FeedConf, TrainerConf
from model.feed import Batch, RowSelection, Snapshot, open_snapshot, read_batches
from model.standardise import measure_inputs
from model.training.checkpoint import load_checkpoint
from model.training.epoch import TrainingError
from model.training.task import TrainTask
from model.training.trainer import load_trained, train

Make = Callable[..., TrainTask]


def weights(task: TrainTask) -> dict[str, torch.Tensor]:
    return load_trained(task)[0].state_dict()


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return set(a) == set(b) and all(torch.equal(a[name], b[name]) for name in a)


class KilledError(BaseException):
    """Stands for a kill: not an Exception, so that nothing can catch it by mistake."""


def kill_in(monkeypatch: pytest.MonkeyPatch, epoch: int, step: int) -> None:
    """Make the feed raise at one step of one epoch."""

    def interrupted(
        snapshot: Snapshot, rows: RowSelection, conf: FeedConf, device: torch.device
    ) -> Iterator[Batch]:
        for i, batch in enumerate(read_batches(snapshot, rows, conf, device)):
            if rows.split == "train" and (rows.epoch, i) == (epoch, step):
                raise KilledError
            yield batch

    monkeypatch.setattr(model.training.trainer, "read_batches", interrupted)


@pytest.mark.parametrize(
    ("dropout", "balance"),
    [(0.0, "static"), (0.3, "static"), (0.0, "uncertainty"), (0.0, "pcgrad")],
)
def test_killed_and_resumed_is_undisturbed_bit_for_bit(
    make_task: Make, dropout: float, balance: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, killed = (make_task(name, dropout, balance=balance) for name in ("whole", "killed"))
    train(whole)
    with monkeypatch.context() as patched:
        kill_in(patched, epoch=3, step=4)
        with pytest.raises(KilledError):
            train(killed)
    checkpoint = load_checkpoint(
        killed.folder, killed.compute_fingerprint(open_snapshot(killed.snapshot))
    )
    assert checkpoint is not None and checkpoint.progress.epoch == 2
    train(killed)
    assert same(weights(whole), weights(killed))
    assert load_trained(killed)[1].history[0]["rows"] == {"train": 1_000, "validation": 300}
    lines = (killed.folder / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == [1, 2, 3]


def test_a_finished_training_is_not_trained_again(
    make_task: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = make_task("done")
    train(task)
    kill_in(monkeypatch, epoch=1, step=0)
    train(task)
    assert load_trained(task)[1].epoch == 3


def test_a_checkpoint_of_another_task_is_not_resumed(make_task: Make) -> None:
    task = make_task("shared", epochs=1)
    train(task)
    other = make_task("shared", epochs=1, learning_rate=0.02)
    with pytest.raises(TrainingError, match="no finished training"):
        load_trained(other)
    train(other)
    with pytest.raises(TrainingError, match="no finished training"):
        load_trained(task)


def test_the_callers_random_state_and_threads_are_left_alone(make_task: Make) -> None:
    torch.manual_seed(1)
    expected, threads = torch.rand(3), torch.get_num_threads()
    torch.manual_seed(1)
    train(make_task("quiet", epochs=1, threads=1))
    assert torch.equal(torch.rand(3), expected)
    assert torch.get_num_threads() == threads


def test_it_stops_early_and_keeps_the_best_weights(make_task: Make) -> None:
    task = make_task(
        "early", epochs=40, patience=1, learning_rate=0.1, keep="best", schedule="constant"
    )
    train(task)
    ranker, progress = load_trained(task)
    losses = [record["validation_loss"] for record in progress.history]
    assert len(losses) == progress.best_epoch + 1 < 40
    assert progress.best_loss == min(losses) == losses[-2]
    stopped = make_task(
        "stopped", epochs=progress.best_epoch, learning_rate=0.1, schedule="constant"
    )
    train(stopped)
    assert same(ranker.state_dict(), weights(stopped))


@pytest.mark.parametrize("content", [b"", b"garbage" * 9, b"\x10" + bytes(7) + b'{"a": [1, 2]} '])
def test_a_damaged_checkpoint_counts_as_none(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "checkpoint.safetensors").write_bytes(content)
    assert load_checkpoint(tmp_path, "any") is None
    assert f"checkpoint {tmp_path}/checkpoint.safetensors is damaged" in caplog.text


def test_a_loss_that_is_not_finite_ends_it(make_task: Make) -> None:
    with pytest.raises(TrainingError, match="epoch 1 is not finite"):
        train(make_task("burst", learning_rate=1e30, epochs=2))


def test_a_task_without_any_label_trains_the_others(own_snapshot: Path, tmp_path: Path) -> None:
    snapshot = open_snapshot(write_snapshot(own_snapshot, Planted(rows=(60, 20), grades=0.0)))
    task = TrainTask(
        snapshot.folder,
        tmp_path / "t",
        measure_inputs(snapshot),
        ModelConf(hidden=(4,), tower=()),
        FeedConf(engine="pyarrow", batch_size=16),
        TrainerConf(epochs=2, min_steps=1, progress=False),
        3,
    )
    train(task)
    history = load_trained(task)[1].history
    assert [record["validation"]["relevance"] for record in history] == [None, None]
    assert np.isfinite(history[-1]["validation_loss"])


def test_additive_bias_trains_too(make_task: Make) -> None:
    task = make_task("tower", epochs=2)
    task = replace(task, model=task.model.model_copy(update={"position_bias": "additive"}))
    train(task)
    assert load_trained(task)[1].epoch == 2


def test_the_last_weights_are_kept_by_default(make_task: Make) -> None:
    last, best = make_task("last"), make_task("best", keep="best", patience=3)
    train(last)
    train(best)
    assert load_trained(last)[1].best_epoch == load_trained(last)[1].epoch == 3
    losses = [record["validation_loss"] for record in load_trained(best)[1].history]
    assert load_trained(best)[1].best_epoch == 1 + int(np.argmin(losses))
