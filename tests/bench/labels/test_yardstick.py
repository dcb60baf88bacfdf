"""The base model alone: its rates, and the limits that are shares of them."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from bench.labels import labelers, labeling, yardstick
from bench.labels.homedepot_pairs import GradedPairs
from bench.labels.labeler_runs import Run
from model.labelers.base import Pairs, Probabilities, Targets
from model.labelers.cross_encoder.network import PairEncoder
from model.labelers.network.machine import FineTuning
from model.labelers.network.token_pairs import TokenPairs

PAIRS = Pairs([f"red sofa {n % 7}" for n in range(120)], [f"blue lamp {n}" for n in range(120)])
GRADES = np.arange(120) % 3


def test_some_pairs_are_learnt_from_and_others_read_with_all_layers(
    deep_encoder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(yardstick, "LEARNT", 40)
    monkeypatch.setattr(yardstick, "READ", 60)
    clock = iter([0.0, 4.0, 10.0, 12.0])
    monkeypatch.setattr(yardstick, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    rows: list[int] = []
    layers: list[int] = []
    known = yardstick.compute_logits

    def read(network: PairEncoder, data: TokenPairs, run: FineTuning) -> torch.Tensor:
        rows.append(len(data))
        layers.append(len(network.trunk.encoder.layer))
        return known(network, data, run)

    monkeypatch.setattr(yardstick, "compute_logits", read)
    settings = [
        f"labeler.cross_encoder.path={deep_encoder}",
        "labeler.cross_encoder.layers=1",
    ]
    found = yardstick.measure_bare_rates(PAIRS, Targets.from_grades(GRADES), settings)
    assert (found.learning, found.reading) == (10.0, 30.0)
    assert rows == [60] and layers == [3]


def test_too_few_pairs_are_an_error() -> None:
    with pytest.raises(ValueError, match="120 pairs, 5,696 are needed"):
        yardstick.measure_bare_rates(PAIRS, Targets.from_grades(GRADES))


def test_a_fit_is_compared_with_three_epochs(monkeypatch: pytest.MonkeyPatch) -> None:
    """360 passes at 2 pairs/s take 3 minutes; the limit is 30 over 27."""
    monkeypatch.setattr(labelers, "measure_bare_rates", lambda *_: yardstick.Yardstick(2.0, 9.0))
    known = GradedPairs(PAIRS, GRADES, GRADES + 1.0)
    nothing = Probabilities(np.zeros(1), np.zeros(1))
    shares = {}
    for minutes in (3.3, 3.4):
        result = labelers._compare_with_bare("x", Run("", minutes, nothing, 0, 1.0), known)
        shares[minutes] = (result.measured.split()[0], result.holds)
    assert shares == {3.3: ("1.10", True), 3.4: ("1.13", False)}


def test_a_rate_is_compared_with_the_forward_pass() -> None:
    assert labeling._compare_with_bare(82.0, 100.0).holds
    assert not labeling._compare_with_bare(81.0, 100.0).holds
    assert labeling._compare_with_bare(82.0, 100.0).limit == ">= 0.82"
