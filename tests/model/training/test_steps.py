"""Each step of a training has the size, divisor, weights and rows that conf asks for."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping

import pytest
import torch
from torch import nn

import model.training.trainer
from conf.sections.training import FeedConf, TrainerConf
from model.feed import Batch, RowSelection, Snapshot, open_snapshot, read_batches
from model.losses import TaskLoss
from model.losses.balance import BALANCES, Losses, StaticBalance
from model.ranker import Ranker, build_ranker
from model.training.distributed import Ranks
from model.training.task import TrainTask
from model.training.trainer import load_trained, train

Make = Callable[..., TrainTask]


def _fresh(task: TrainTask) -> Ranker:
    return build_ranker(open_snapshot(task.snapshot).spec, task.scale, task.model)


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
        assert found == pytest.approx([0.01 * factor] * 3 + [0.07 * factor])


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
