"""Fine-tuning of a tiny network: which epoch stays, how a step is made, threads of a fit."""

import os
from collections.abc import Iterator
from itertools import count
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from conf.sections.labelers import FineTuningConf
from model.labelers.base import Targets
from model.labelers.network import training
from model.labelers.network.machine import FineTuning, use_threads
from model.labelers.network.reading import (
    compute_logits,
    compute_losses,
    compute_probabilities,
    read_all,
)
from model.labelers.network.token_pairs import TokenPairs
from model.labelers.network.training import copy_learnt, fine_tune, repeat_fine_tuning

PAIRS = 64


class Counting(nn.Module):
    """The mean of a pair's token vectors, and a head."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.trunk = nn.Embedding(4, 3)
        self.head = nn.Linear(3, 2)

    def forward(self, tokens: dict[str, Tensor]) -> Tensor:
        logits: Tensor = self.head(self.trunk(tokens["input_ids"]).mean(dim=1))
        return logits


def pairs(grades: np.ndarray) -> TokenPairs:
    """Pairs of three tokens, all of the number that the grade has by their place."""
    tokens = [{"input_ids": [at % 3] * 3} for at in range(len(grades))]
    return TokenPairs.from_tokens(tokens, {}, Targets.from_grades(grades))


def run(**settings: Any) -> FineTuning:
    given = {"epochs": 2, "min_steps": 1, "learning_rate": 1e-2, "head_learning_rate": 1e-2}
    conf = FineTuningConf.model_validate({**given, "threads": 1, **settings})
    return FineTuning(conf, autocast=False, device="cpu", seed=1)


TRAIN = pairs(np.arange(PAIRS) % 3)


def test_it_learns() -> None:
    network = Counting()
    fast = run(epochs=30, learning_rate=0.1, head_learning_rate=0.1)
    chosen = fine_tune(network, TRAIN, TRAIN, fast)
    assert chosen.epoch == chosen.epochs == 30
    found = compute_probabilities(compute_logits(network, TRAIN, run()))
    np.testing.assert_array_equal(found.grades, np.arange(PAIRS) % 3)


def test_an_epoch_that_is_clearly_worse_is_dropped() -> None:
    """Validation says the opposite of training, so learning makes it worse."""
    network, judged = Counting(), pairs(2 - np.arange(PAIRS) % 3)
    fast = run(epochs=9, learning_rate=0.1, head_learning_rate=0.1)
    history = fine_tune(network, TRAIN, judged, fast).history
    losses = [entry["validation_loss"] for entry in history]
    best = min(losses)
    assert losses[-1] > 1.1 * best
    assert compute_losses(compute_logits(network, judged, run()), judged).mean() < 1.1 * best


def test_an_epoch_a_little_worse_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second epoch loses .1 a pair on one half and gains .09 on the other: within an error."""
    seen: list[Tensor] = []

    def losses(logits: Tensor, data: TokenPairs) -> np.ndarray:
        seen.append(logits.clone())
        return np.ones(PAIRS) + (len(seen) - 1) * np.where(np.arange(PAIRS) % 2, 0.1, -0.09)

    monkeypatch.setattr(training, "compute_losses", losses)
    network = Counting()
    chosen = fine_tune(network, TRAIN, TRAIN, run())
    assert [e["validation_loss"] for e in chosen.history] == pytest.approx([1.0, 1.005])
    torch.testing.assert_close(compute_logits(network, TRAIN, run()), seen[1])
    assert chosen.epoch == 2 and not torch.equal(seen[0], seen[1])


def test_the_start_may_be_chosen() -> None:
    network, judged = Counting(), pairs(2 - np.arange(PAIRS) % 3)
    before = copy_learnt(network)
    wild = run(learning_rate=9.0, head_learning_rate=9.0)
    assert fine_tune(network, TRAIN, judged, wild, judge_start=True).epoch == 0
    for name, tensor in copy_learnt(network).items():
        assert torch.equal(tensor, before[name])


def test_few_pairs_are_passed_over_more_often() -> None:
    """64 pairs are 2 steps of 32, so 7 steps take 4 epochs."""
    history = fine_tune(Counting(), TRAIN, TRAIN, run(min_steps=7)).history
    assert [entry["epoch"] for entry in history] == [1, 2, 3, 4]


def test_what_was_chosen_is_repeated() -> None:
    """The same epochs from the same start give the same weights."""
    one, other = Counting(), Counting()
    chosen = fine_tune(one, TRAIN, TRAIN, run())
    losses = repeat_fine_tuning(other, TRAIN, run(), chosen)
    assert losses == [entry["loss"] for entry in chosen.history]
    for name, tensor in copy_learnt(one).items():
        assert torch.equal(tensor, copy_learnt(other)[name])


def test_a_step_in_parts_is_the_step() -> None:
    whole, parts = Counting(), Counting()
    for network, accumulation in ((whole, 1), (parts, 5)):
        fine_tune(network, TRAIN, TRAIN, run(accumulation=accumulation))
    for name, tensor in copy_learnt(whole).items():
        torch.testing.assert_close(tensor, copy_learnt(parts)[name])


def test_what_is_frozen_is_neither_trained_nor_kept() -> None:
    network = Counting()
    network.trunk.requires_grad_(False)
    before = network.trunk.weight.clone()
    fine_tune(network, TRAIN, TRAIN, run())
    assert torch.equal(network.trunk.weight, before)
    assert set(copy_learnt(network)) == {"head.weight", "head.bias"}


def test_step_sizes_of_trunk_and_head_are_their_own() -> None:
    network, before = Counting(), Counting()
    fine_tune(network, TRAIN, TRAIN, run(epochs=1, learning_rate=1e-9, head_learning_rate=0.1))
    torch.testing.assert_close(network.trunk.weight, before.trunk.weight)
    assert not torch.allclose(network.head.weight, before.head.weight, atol=0.01)


def test_answers_come_in_the_order_of_the_pairs() -> None:
    tokens = [{"input_ids": [0] * length} for length in (2, 9, 1, 5)]
    data = TokenPairs.from_tokens(tokens, {"input_ids": 1})
    numbers: Iterator[int] = count()
    found = read_all(
        lambda batch: torch.tensor([[float(next(numbers)), float(len(batch["input_ids"]))]]),
        data,
        run(predict_batch_size=1),
    )
    assert found[:, 0].tolist() == [2.0, 0.0, 3.0, 1.0]
    assert read_all(lambda _: torch.zeros(0), TokenPairs.from_tokens([], {}), run()).shape == (0, 2)


def test_a_fit_takes_the_cores_that_its_process_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 16)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {4, 5, 7}, raising=False)
    before = torch.get_num_threads()
    with use_threads(0):
        within = torch.get_num_threads()
    assert (within, torch.get_num_threads()) == (3, before)


def test_conf_names_the_threads_of_a_fit() -> None:
    before = torch.get_num_threads()
    with use_threads(before + 1):
        within = torch.get_num_threads()
    assert (within, torch.get_num_threads()) == (before + 1, before)
