"""The composed ranker: contract of outputs and losses, masks, split form, batch of one."""

import math
from dataclasses import replace

import pytest
import torch

from conf.sections.model import ModelConf
from conf.sections.training import FeedConf
from model.feed import Batch, RowSelection, Snapshot, read_batches
from model.heads import CornHead
from model.inputs import FeatureBlock, Piecewise, choose_width
from model.losses import total_loss
from model.ranker import Ranker, build_ranker
from model.spec import InputFeature, SpecError
from model.standardise import Standardisation

SMALL = ModelConf(hidden=(16, 8), tower=(4,))


@pytest.fixture
def ranker(snapshot: Snapshot, scale: Standardisation) -> Ranker:
    torch.manual_seed(3)
    return build_ranker(snapshot.spec, scale, SMALL)


@pytest.fixture
def batch(snapshot: Snapshot) -> Batch:
    return next(
        read_batches(snapshot, RowSelection("train"), FeedConf(batch_size=32, engine="pyarrow"))
    )


def with_label(batch: Batch, name: str, values: torch.Tensor) -> Batch:
    labels = batch.labels.clone()
    labels[:, batch.label_names.index(name)] = values
    return replace(batch, labels=labels)


def test_outputs_are_ordered_probabilities(ranker: Ranker, batch: Batch) -> None:
    out = ranker.predict(batch.features)
    assert list(out) == ["p_click", "p_cart", "p_purchase", "p_ge_1", "p_ge_2"]
    assert all(p.shape == (32,) and bool(((p > 0) & (p < 1)).all()) for p in out.values())
    assert bool((out["p_ge_1"] >= out["p_ge_2"]).all())


def test_a_batch_of_one(ranker: Ranker, batch: Batch) -> None:
    one = ranker.predict(batch.features[:1])
    torch.testing.assert_close(one["p_cart"], ranker.predict(batch.features)["p_cart"][:1])


def test_serving_means_position_1(ranker: Ranker, batch: Batch) -> None:
    at_1 = ranker.predict(batch.features, torch.ones(32))
    at_5 = ranker.predict(batch.features, torch.full((32,), 5.0))
    serving = ranker.predict(batch.features)
    torch.testing.assert_close(serving["p_click"], at_1["p_click"])
    assert bool((at_5["p_click"] < serving["p_click"]).all())
    torch.testing.assert_close(at_5["p_ge_1"], serving["p_ge_1"])


def test_a_missing_label_is_not_a_negative(ranker: Ranker, batch: Batch) -> None:
    masked = with_label(batch, "mask_cart", torch.zeros(32))
    before = {task: loss.total for task, loss in ranker(batch).items()}
    after = ranker(masked)
    assert after["cart"].total.item() == 0.0 and float(after["cart"].weight) == 0.0
    assert after["click"].total.item() == before["click"].item()
    flipped = with_label(masked, "label_cart", 1.0 - batch.get_label("label_cart"))
    assert ranker(flipped)["cart"].total.item() == 0.0


def test_padding_counts_nowhere(ranker: Ranker, batch: Batch) -> None:
    short = replace(batch, weight=torch.cat([torch.ones(20), torch.zeros(12)]))
    cut = Batch(
        batch.features[:20],
        batch.labels[:20],
        batch.position[:20],
        torch.ones(20),
        batch.list_code[:20],
        batch.label_names,
    )
    for task, loss in ranker(short).items():
        torch.testing.assert_close(loss.total, ranker(cut)[task].total)
        torch.testing.assert_close(loss.weight, ranker(cut)[task].weight)


def test_all_labels_missing_trains_nothing(ranker: Ranker, batch: Batch) -> None:
    loss = total_loss(ranker(replace(batch, weight=torch.zeros(32))), {})
    loss.backward()
    assert float(loss.detach()) == 0.0
    gradients = [p.grad for p in ranker.parameters() if p.grad is not None]
    assert gradients and all(float(g.abs().max()) == 0.0 for g in gradients)


@pytest.mark.parametrize("kind", ["additive", "multiplicative", "input", "none"])
def test_every_parameter_learns(
    snapshot: Snapshot, scale: Standardisation, batch: Batch, kind: str
) -> None:
    torch.manual_seed(3)
    conf = SMALL.model_copy(update={"position_bias": kind})
    ranker = build_ranker(snapshot.spec, scale, conf)
    total_loss(ranker(batch), {}).backward()
    silent = [n for n, p in ranker.named_parameters() if p.grad is None]
    assert silent == []


def test_a_position_that_is_an_input_counts_in_training_only(
    snapshot: Snapshot, scale: Standardisation, batch: Batch
) -> None:
    torch.manual_seed(3)
    conf = SMALL.model_copy(update={"position_bias": "input"})
    ranker = build_ranker(snapshot.spec, scale, conf).eval()
    with torch.no_grad():
        served = ranker.predict(batch.features)["p_click"]
        first = ranker.predict(batch.features, torch.ones(len(batch.features)))["p_click"]
        fifth = ranker.predict(batch.features, torch.full((len(batch.features),), 5.0))["p_click"]
    torch.testing.assert_close(served, first)
    assert not torch.allclose(served, fifth)


def test_towers_start_at_the_rates_of_the_log(ranker: Ranker, scale: Standardisation) -> None:
    last = ranker.engagement.towers["purchase"][-1]
    assert isinstance(last, torch.nn.Linear)
    assert float(torch.sigmoid(last.bias.detach())) == pytest.approx(
        scale.rates["purchase"], rel=1e-5
    )
    first, second = torch.sigmoid(ranker.relevance.tower[-1].bias).tolist()
    assert first * second == pytest.approx(scale.rates["ge_2"], rel=1e-5)


def test_the_query_part_once_gives_the_same(ranker: Ranker, batch: Batch) -> None:
    spec = ranker.spec
    counts = torch.tensor([3, 0, 2])
    queries = batch.features[:3][:, spec.query_positions]
    candidates = batch.features[:5][:, spec.candidate_positions]
    whole = ranker.inputs.join_blocks(queries.repeat_interleave(counts, dim=0), candidates)
    split = ranker.read_out(ranker.represent_candidates(queries, candidates, counts))
    for name, p in ranker.predict(whole).items():
        torch.testing.assert_close(split[name], p)


def test_input_block_by_hand() -> None:
    features = [
        InputFeature("kind", "item", "category", buckets=4, regional=True),
        InputFeature("price", "item"),
    ]
    scale = Standardisation(mean={"price": 3.0}, std={"price": 2.0}, rates={}, rows=1)
    conf = ModelConf(embedding_width=8, clip=5.0, numeric="standard")
    block = FeatureBlock(features, [True, True], scale, conf)
    found = block(torch.tensor([[2.0, 7.0], [0.0, -100.0]]))
    assert found[:, 0].tolist() == [2.0, -5.0]
    torch.testing.assert_close(found[0, 1:], block.embeddings[0].weight[2])
    assert block.regional == [False, True, True] and block.dim == 3


def test_piecewise_units_by_hand() -> None:
    pieces = Piecewise([[0.0, 1.0, 3.0], [5.0, 6.0]])  # a single bin says what the value says
    assert pieces.column.tolist() == [0, 0]
    found = pieces(torch.tensor([[-1.0, 5.5], [0.25, 5.5], [2.0, 5.5], [9.0, 5.5]]))
    expected = [[-0.5, -0.5], [-0.25, -0.5], [0.5, 0.0], [0.5, 0.5]]
    torch.testing.assert_close(found, torch.tensor(expected))


def test_a_feature_left_out_changes_nothing(snapshot: Snapshot, scale: Standardisation) -> None:
    conf = SMALL.model_copy(update={"leave_out": ("item_type", "query_0")})
    ranker = build_ranker(snapshot.spec, scale, conf).eval()
    rows = torch.rand(4, len(snapshot.spec.features)).round()
    other = rows.clone()
    for name in conf.leave_out:
        other[:, snapshot.spec.names.index(name)] += 1.0
    for name, p in ranker.predict(rows).items():
        torch.testing.assert_close(ranker.predict(other)[name], p)
    with pytest.raises(SpecError, match="names \\['price'\\]; give names of features, or groups"):
        build_ranker(snapshot.spec, scale, SMALL.model_copy(update={"leave_out": ("price",)}))


def test_embedding_width() -> None:
    assert [choose_width(n, 16) for n in (2, 6, 100, 4096)] == [2, 3, 10, 16]


def test_the_ordinal_head_is_a_chain_for_any_logits() -> None:
    head = CornHead(4, SMALL)
    found = head.compute_probabilities(torch.tensor([[0.0, 3.0], [-2.0, 9.0], [60.0, 60.0]]))
    half, most = 0.5, 1 / (1 + math.exp(-3.0))
    assert found[0].tolist() == pytest.approx([half, half * most])
    assert bool((found[:, 0] >= found[:, 1]).all())


def test_each_unit_of_a_bin_is_regional_as_its_own_feature() -> None:
    features = [InputFeature("price", "item"), InputFeature("stock", "item", regional=True)]
    edges = [float(i) for i in range(65)]
    scale = Standardisation(
        mean={"price": 3.0, "stock": 0.0},
        std={"price": 2.0, "stock": 1.0},
        rates={},
        rows=1,
        quantiles={"price": [0.0] * 65, "stock": edges},
    )
    block = FeatureBlock(features, [True, True], scale, ModelConf(numeric="piecewise", bins=4))
    assert block.regional == [False, True, True, True, True, True]
    found = block(torch.tensor([[3.0, 24.0]]))
    assert found.tolist() == [[0.0, 8.0, 0.5, 0.0, -0.5, -0.5]]
