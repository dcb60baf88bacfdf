"""Periodic inputs: waves by hand, which features have them, and that they learn and last."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from conf.sections.model import ModelConf
from conf.sections.training import FeedConf
from model.feed import Batch, RowSelection, Snapshot, read_batches
from model.inputs import FeatureBlock, InputLayer, Periodic
from model.losses import total_loss
from model.ranker import build_ranker
from model.serving.artifact import Artifact, load_model, save_model
from model.serving.calibrators import build_identities
from model.serving.network import ServingNetwork
from model.sizing import count_parameters
from model.spec import InputFeature
from model.standardise import Standardisation

PERIODIC = ModelConf(hidden=(16, 8), tower=(4,), numeric="periodic", frequencies=3)
FEATURES = [
    InputFeature("price", "item"),
    InputFeature("new", "item"),
    InputFeature("kind", "item", "category", buckets=4),
    InputFeature("stock", "item", regional=True),
]
SCALE = Standardisation(
    mean={"price": 3.0, "new": 0.0, "stock": 1.0},
    std={"price": 2.0, "new": 1.0, "stock": 4.0},
    rates={},
    rows=1,
    quantiles={"price": [1.0, 3.0, 5.0], "new": [0.0, 0.0, 1.0], "stock": [0.0, 1.0, 2.0]},
)


@pytest.fixture
def batch(snapshot: Snapshot) -> Batch:
    return next(
        read_batches(snapshot, RowSelection("train"), FeedConf(batch_size=32, engine="pyarrow"))
    )


def test_waves_by_hand() -> None:
    waves = Periodic([1, 0], 2, 0.1)
    with torch.no_grad():
        waves.frequency.copy_(torch.tensor([0.25, -0.5, 1 / 12, 0.0]))
    found = waves(torch.tensor([[2.0, 1.0], [0.0, 0.5]]))
    half, root = 0.5, math.sqrt(0.5)
    # of the second column, quarter and half turns; of the first, a sixth of a turn, and none
    expected = [
        [1.0, 0.0, math.sqrt(0.75), 0.0, 0.0, -1.0, half, 1.0],
        [root, -1.0, 0.0, 0.0, root, 0.0, 1.0, 1.0],
    ]
    torch.testing.assert_close(found, torch.tensor(expected), atol=1e-6, rtol=0)


def test_waves_stand_behind_the_standardised_values_and_are_cut_with_them() -> None:
    conf = PERIODIC.model_copy(update={"clip": 2.0})
    block = FeatureBlock(FEATURES, [True] * 4, SCALE, conf)
    assert block.waves is not None
    assert block.waves.column.tolist() == [0, 0, 0, 2, 2, 2]  # two values need none
    found = block(torch.tensor([[7.0, 1.0, 3.0, -99.0]])).detach()[0]
    assert found[:3].tolist() == [2.0, 1.0, -2.0]
    turns = block.waves.frequency.detach() * torch.tensor([2.0] * 3 + [-2.0] * 3)
    torch.testing.assert_close(found[3:9], torch.sin(2.0 * math.pi * turns))
    torch.testing.assert_close(found[9:15], torch.cos(2.0 * math.pi * turns))
    torch.testing.assert_close(found[15:], block.embeddings[0].weight[3])


def test_each_wave_is_regional_as_its_feature() -> None:
    block = FeatureBlock(FEATURES, [True] * 4, SCALE, PERIODIC)
    of_waves = [False] * 3 + [True] * 3
    assert block.regional == [False, False, True, *of_waves, *of_waves, False, False]
    assert block(torch.ones(5, 4)).shape == (5, block.dim)


def test_new_frequencies_have_the_spread_of_conf() -> None:
    torch.manual_seed(3)
    drawn = Periodic([0], 20_000, 0.3).frequency.detach()
    assert float(drawn.mean()) == pytest.approx(0.0, abs=0.01)
    assert float(drawn.std()) == pytest.approx(0.3, rel=0.02)


def test_features_that_do_not_vary_have_no_waves() -> None:
    flat = Standardisation(SCALE.mean, SCALE.std, {}, 1, quantiles={"price": [3.0, 3.0, 3.0]})
    block = FeatureBlock(FEATURES, [True] * 4, flat, PERIODIC)
    assert block.waves is None and block.dim == 3 + 2
    assert not any(name.startswith("waves") for name in block.state_dict())


def test_frequencies_learn_from_the_loss(
    snapshot: Snapshot, scale: Standardisation, batch: Batch
) -> None:
    torch.manual_seed(3)
    ranker = build_ranker(snapshot.spec, scale, PERIODIC)
    total_loss(ranker(batch), {}).backward()
    learnt = {n: p for n, p in ranker.named_parameters() if n.endswith("waves.frequency")}
    assert set(learnt) == {"inputs.query.waves.frequency", "inputs.candidate.waves.frequency"}
    for parameter in learnt.values():
        assert parameter.grad is not None and bool((parameter.grad != 0.0).all())


def test_a_query_s_waves_once_give_the_same(
    snapshot: Snapshot, scale: Standardisation, batch: Batch
) -> None:
    torch.manual_seed(3)
    ranker = build_ranker(snapshot.spec, scale, PERIODIC)
    network, spec = ServingNetwork(ranker), snapshot.spec
    counts = torch.tensor([3, 0, 2])
    queries = batch.features[:3][:, spec.query_positions]
    candidates = batch.features[:5][:, spec.candidate_positions]
    whole = ranker.inputs.join_blocks(queries.repeat_interleave(counts, dim=0), candidates)
    torch.testing.assert_close(
        network.predict_candidates(queries, candidates, counts), network.predict_pairs(whole)
    )


def test_what_was_learnt_is_saved(
    snapshot: Snapshot, scale: Standardisation, batch: Batch, tmp_path: Path
) -> None:
    ranker, spec = build_ranker(snapshot.spec, scale, PERIODIC), snapshot.spec
    with torch.no_grad():
        for block in ranker.inputs.blocks:
            assert block.waves is not None
            block.waves.frequency.uniform_(0.5, 1.5)
        expected = ranker.eval().predict(batch.features)
    made = Artifact(ranker, scale, PERIODIC, build_identities(spec.outputs, spec.regions))
    save_model(made, tmp_path / "m")
    loaded = load_model(tmp_path / "m").predict(batch.features.numpy())
    for name, p in expected.items():
        np.testing.assert_allclose(loaded[name], p.numpy(), rtol=1e-5)


def test_frequencies_are_counted(snapshot: Snapshot, scale: Standardisation) -> None:
    plain = PERIODIC.model_copy(update={"numeric": "standard"})
    more = count_parameters(snapshot.spec, PERIODIC) - count_parameters(snapshot.spec, plain)
    # 9 numeric features of 3 frequencies; each gives two units to the 16 of the first layer
    assert more == 9 * 3 * (1 + 2 * 16)
    assert InputLayer(snapshot.spec, scale, PERIODIC).dim == 9 + 9 * 3 * 2 + 2 + 2
