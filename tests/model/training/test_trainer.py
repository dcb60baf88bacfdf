"""Training: it learns what was planted, stops in time, and goes on after a kill bit for bit."""

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import model.training.trainer
from bench.synthetic import Planted, write_snapshot
from conf.load import SIMULATED, load_conf
from conf.sections.model import ModelConf
from conf.sections.training import FeedConf, TrainerConf
from model.evaluation.metrics import compute_auc
from model.feed import Batch, RowSelection, Snapshot, open_snapshot, read_batches
from model.losses import TaskLoss
from model.losses.balance import BALANCES, Losses, StaticBalance
from model.ranker import Ranker, build_ranker
from model.serving.artifact import Artifact, load_model, save_model
from model.standardise import Standardisation, measure_inputs
from model.training.checkpoint import Progress, load_checkpoint
from model.training.distributed import Ranks
from model.training.epoch import TrainingError
from model.training.fit import fit_ranker
from model.training.task import TrainTask
from model.training.trainer import load_trained, train

Make = Callable[..., TrainTask]
Fit = tuple[Snapshot, Progress, dict[str, Any], Artifact]


@pytest.fixture
def make_task(snapshot: Snapshot, scale: Standardisation, tmp_path: Path) -> Make:
    """`make_task("name", epochs=3, ...)`: a short task whose folder is tmp_path / name."""

    def make(name: str, dropout: float = 0.0, **trainer: object) -> TrainTask:
        settings: dict[str, object] = {
            "epochs": 3,
            "min_steps": 1,
            "learning_rate": 0.01,
            "progress": False,
        }
        return TrainTask(
            snapshot=snapshot.folder,
            folder=tmp_path / name,
            scale=scale,
            model=ModelConf(hidden=(16, 8), tower=(4,), dropout=dropout),
            feed=FeedConf(batch_size=100, engine="pyarrow", shuffle_files=2),
            trainer=TrainerConf.model_validate(settings | trainer),
            seed=11,
        )

    return make


def _fresh(task: TrainTask) -> Ranker:
    return build_ranker(open_snapshot(task.snapshot).spec, task.scale, task.model)


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


@pytest.fixture(scope="module")
def planted_fit(
    tmp_path_factory: pytest.TempPathFactory,
) -> Fit:
    folder = tmp_path_factory.mktemp("planted")
    planted = Planted(rows=(20_000, 6_000), files=(3, 2), grades=0.5)
    snapshot = open_snapshot(write_snapshot(folder / "snapshot", planted))
    conf = load_conf(
        [SIMULATED],
        settings=[
            "trainer.epochs=4",
            "trainer.min_steps=1",
            "trainer.learning_rate=0.003",
            "feed.batch_size=256",
        ],
    )
    found = fit_ranker(snapshot, conf.tree, folder / "scratch", "x: 1\n", {"conf_hash": conf.hash})
    return snapshot, found.progress, found.metrics, found.artifact


def test_it_finds_the_planted_effects(planted_fit: Fit) -> None:
    _, progress, metrics, artifact = planted_fit
    assert metrics["validation"]["p_click"]["auc"] > 0.75
    assert metrics["validation"]["p_ge_2"]["auc"] > 0.78
    assert progress.history[-1]["train"]["click"] < progress.history[0]["train"]["click"]
    with torch.no_grad():
        bias = artifact.ranker.engagement.bias.compute_log_seen(torch.tensor([1, 2, 5, 10]))[:, 0]
    assert bool((bias[1:] < bias[:-1]).all()), "clicks fall with the position"
    assert float(bias[3]) < -1.5  # planted: log(1 / 10) = -2.3


def test_metrics_carry_their_counts(planted_fit: Fit) -> None:
    snapshot, _, metrics, _ = planted_fit
    found = metrics["validation"]["p_click"]
    assert found["n"] == snapshot.count_rows("validation") == 6_000
    assert found["calibrated_loss"] <= found["loss"] + 1e-3
    assert found["calibration_ratio"] == pytest.approx(1.0, abs=0.05)
    assert metrics["rows"] == {"train": 20_000, "validation": 6_000}


def test_serving_predictions_are_calibrated_at_position_1(planted_fit: Fit, tmp_path: Path) -> None:
    snapshot, _, _, artifact = planted_fit
    save_model(artifact, tmp_path / "m")
    conf = FeedConf(engine="pyarrow", batch_size=6_000)
    batch = next(read_batches(snapshot, RowSelection("validation"), conf))
    out = load_model(tmp_path / "m").predict(batch.features.numpy())
    first = (batch.position == 1).numpy()
    clicks = batch.get_label("label_click").numpy()[first]
    assert out["p_click"][first].mean() == pytest.approx(clicks.mean(), rel=0.12)
    assert compute_auc(out["p_click"][first], clicks) > 0.7


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


def test_the_position_tower_moves_faster_and_never_decays(make_task: Make) -> None:
    ranker = _fresh(make_task("rate"))
    conf = TrainerConf(learning_rate=0.01, position_rate=7.0, weight_decay=0.5)
    groups = model.training.trainer._build_optimizer([ranker], conf).param_groups
    tower = {id(p) for p in ranker.engagement.bias.parameters()}
    for group in groups:
        for parameter in group["params"]:
            assert group["lr"] == pytest.approx(0.07 if id(parameter) in tower else 0.01)
    decayed = {id(p) for g in groups if g["weight_decay"] > 0 for p in g["params"]}
    assert not decayed & tower


def test_every_step_has_the_step_size_of_the_schedule(
    make_task: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    factors: list[float] = []
    monkeypatch.setattr(
        model.training.trainer, "_set_step_size", lambda _, factor: factors.append(factor)
    )
    train(make_task("steps", epochs=2))
    assert factors == pytest.approx([(1 + math.cos(math.pi * i / 20)) / 2 for i in range(20)])


def test_the_step_size_of_each_group_falls_from_its_own_start(make_task: Make) -> None:
    conf = TrainerConf(learning_rate=0.01, position_rate=7.0)
    optimizer = model.training.trainer._build_optimizer([_fresh(make_task("falls"))], conf)
    for factor in (0.5, 0.25):
        model.training.trainer._set_step_size(optimizer, factor)
        found = [group["lr"] for group in optimizer.param_groups]
        assert found == pytest.approx([0.01 * factor, 0.01 * factor, 0.07 * factor])


@pytest.mark.parametrize("normalise", ["epoch", "batch"])
def test_each_step_divides_by_what_conf_says_and_starts_without_gradients(
    make_task: Make, monkeypatch: pytest.MonkeyPatch, normalise: str
) -> None:
    given: list[torch.Tensor] = []

    class Noted(StaticBalance):
        def backward(
            self,
            losses: Losses,
            behind: Mapping[str, torch.Tensor],
            parameters: Iterable[nn.Parameter],
            ranks: Ranks,
        ) -> torch.Tensor:
            kept = list(parameters)
            assert all(p.grad is None for p in kept)
            assert self.weights == {"relevance": 0.5}
            given.append(torch.stack([losses["relevance"].weight, behind["relevance"]]))
            return super().backward(losses, behind, kept, ranks)

    monkeypatch.setitem(BALANCES, "static", Noted)
    train(make_task("noted", epochs=1, normalise=normalise, loss_weights={"relevance": 0.5}))
    own, behind = torch.stack(given).unbind(1)
    mean = own.cumsum(0) / torch.arange(1, len(own) + 1)
    torch.testing.assert_close(behind, mean if normalise == "epoch" else own)
    assert not torch.equal(mean, own)


def test_the_validation_loss_has_the_weights_of_the_training(make_task: Make) -> None:
    task = make_task("weighed", epochs=1, loss_weights={"click": 2.0, "relevance": 0.25})
    train(task)
    record = load_trained(task)[1].history[0]
    weights = {"click": 2.0, "cart": 1.0, "purchase": 1.0, "relevance": 0.25}
    expected = sum(weight * record["validation"][name] for name, weight in weights.items())
    assert record["validation_loss"] == pytest.approx(expected)


def test_training_rows_are_mixed_anew_in_every_epoch_and_dropout_is_theirs_alone(
    make_task: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[tuple[str, int, bool]] = []
    modes: list[bool] = []
    forward = Ranker.forward

    def noted_rows(
        snapshot: Snapshot, rows: RowSelection, conf: FeedConf, device: torch.device
    ) -> Iterator[Batch]:
        read.append((rows.split, rows.epoch, rows.shuffle))
        return read_batches(snapshot, rows, conf, device)

    def noted_mode(ranker: Ranker, batch: Batch) -> dict[str, TaskLoss]:
        modes.append(ranker.training)
        return forward(ranker, batch)

    monkeypatch.setattr(model.training.trainer, "read_batches", noted_rows)
    monkeypatch.setattr(Ranker, "forward", noted_mode)
    train(make_task("mixed", epochs=2))
    splits = [("train", True), ("validation", False)]
    assert read == [(split, epoch, mixed) for epoch in (1, 2) for split, mixed in splits]
    assert modes == 2 * ([True] * 10 + [False] * 3)
