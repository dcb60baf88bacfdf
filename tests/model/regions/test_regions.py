"""Region parts against their equations: shapes, neutral regions, gradient stops, refusals."""

import math
from collections.abc import Sequence

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from conf.sections.model import ModelConf
from model.regions import (
    PARTS,
    MdMask,
    PepnetGate,
    RegionContext,
    RegionFeature,
    RegionPart,
    StarLayer,
)
from model.regions.gate import Gate
from model.spec import SpecError

REGIONAL = (False, True, True, False)
ALL_PARTS = [name for name in PARTS if name != "none"]


def context(rows: Sequence[int] = (5, 9, 0, 7), **conf: object) -> RegionContext:
    """Three regions; region 2 has no training row."""
    settings = {"hidden": (3,), "mask_hidden": (4,), "region_embedding": 2} | conf
    return RegionContext(REGIONAL, 3, ModelConf.model_validate(settings), tuple(rows))


def part(name: str, **conf: object) -> RegionPart:
    """A part whose free parameters are not neutral any more."""
    torch.manual_seed(3)
    made = PARTS[name](context(region_mask=name, **conf))
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(torch.randn_like(parameter))
    return made


def gate_by_hand(gate: Gate, condition: Tensor, region: int) -> Tensor:
    hidden, last = gate.layers[0], gate.layers[-1]
    assert isinstance(hidden, nn.Linear) and isinstance(last, nn.Linear)
    parts = [] if gate.embedding is None else [gate.embedding.weight[region]]
    first = torch.relu(hidden.weight @ torch.cat([*parts, condition]) + hidden.bias)
    return 2.0 / (1.0 + torch.exp(-(last.weight @ first + last.bias)))


X = torch.tensor([[0.5, -1.0, 2.0, 3.0], [1.0, 0.3, -0.2, -4.0]])


def test_md_by_hand() -> None:
    mask = part("md")
    assert isinstance(mask, MdMask)
    found = mask(X, torch.tensor([1, 3]))
    for row, region in ((0, 1), (1, 3)):
        m = gate_by_hand(mask.gate, X[row, 1:3], region)
        expected = torch.stack([X[row, 0], m[0] * X[row, 1], m[1] * X[row, 2], X[row, 3]])
        torch.testing.assert_close(found[row], expected)


@pytest.mark.parametrize(
    ("conf", "conditions", "factors", "embedded"),
    [
        ({}, 2, 2, True),
        ({"mask_condition": "region"}, 0, 2, True),
        ({"mask_condition": "features"}, 2, 2, False),
        ({"mask_over": "all"}, 2, 4, True),
    ],
)
def test_md_ablations(conf: dict[str, str], conditions: int, factors: int, embedded: bool) -> None:
    mask = part("md", **conf)
    assert isinstance(mask, MdMask)
    assert mask.gate.condition.tolist() == [1, 2][:conditions]
    assert (mask.gate.embedding is not None) == embedded
    m = gate_by_hand(mask.gate, X[0, 1:3][:conditions], 1)
    whole = torch.ones(4)
    whole[mask.masked] = m
    assert len(m) == factors
    torch.testing.assert_close(mask(X[:1], torch.tensor([1]))[0], whole * X[0])


def test_pepnet_by_hand() -> None:
    gate = part("pepnet")
    assert isinstance(gate, PepnetGate)
    expected = gate_by_hand(gate.gate, X[1], 3) * X[1]
    torch.testing.assert_close(gate(X, torch.tensor([1, 3]))[1], expected)


def test_the_region_as_a_feature_by_hand() -> None:
    feature = part("feature")
    assert isinstance(feature, RegionFeature)
    found = feature(X, torch.tensor([3, 0]))
    torch.testing.assert_close(found[0], torch.cat([X[0], feature.embedding.weight[3]]))
    torch.testing.assert_close(found[1], torch.cat([X[1], torch.zeros(2)]))


def test_star_by_hand() -> None:
    star = part("star")
    assert isinstance(star, StarLayer)
    found = star(X, torch.tensor([3, 1]))
    for row, region in ((0, 2), (1, 0)):
        scale = star.scale * (1 + star.region_scale[region])
        z = scale * X[row] + star.shift + star.region_shift[region]
        weight = star.shared.weight * (1 + star.region_weight[region])
        bias = star.shared.bias + star.region_bias[region]
        torch.testing.assert_close(found[row], torch.relu(weight @ z + bias))


@pytest.mark.parametrize("name", list(PARTS))
def test_shapes_a_batch_of_one_and_none(name: str) -> None:
    made = part(name)
    for rows in (2, 1, 0):
        found = made(X[:rows], torch.ones(rows, dtype=torch.long))
        assert found.shape == (rows, made.out_dim)
    alone = made(X[1:], torch.tensor([3]))
    torch.testing.assert_close(made(X, torch.tensor([1, 3]))[1:], alone)


@pytest.mark.parametrize("region", [0, 2, 4])
@pytest.mark.parametrize("name", ["md", "pepnet"])
@pytest.mark.parametrize("condition", ["both", "features"])
def test_an_unseen_region_gets_the_neutral_mask_exactly(
    name: str, region: int, condition: str
) -> None:
    """The unknown region, one without a training row, and an id that is not declared."""
    made = part(name, mask_condition=condition)
    assert torch.equal(made(X, torch.full((2,), region)), X)
    assert not torch.equal(made(X, torch.tensor([1, 1])), X)


@pytest.mark.parametrize("region", [0, 2])
def test_an_unseen_region_gets_stars_shared_layer(region: int) -> None:
    star = part("star")
    assert isinstance(star, StarLayer)
    shared = torch.relu(star.shared(star.scale * X + star.shift))
    torch.testing.assert_close(star(X, torch.full((2,), region)), shared)


@pytest.mark.parametrize("name", ["md", "pepnet"])
def test_a_new_mask_is_neutral(name: str) -> None:
    torch.testing.assert_close(PARTS[name](context())(X, torch.tensor([1, 3])), X)


@pytest.mark.parametrize("name", ["md", "pepnet"])
def test_no_gradient_reaches_the_input_through_the_condition(name: str) -> None:
    """d x' / d x is the mask itself, as if the mask were a constant."""
    made = part(name)
    x = X.clone().requires_grad_()
    made(x, torch.tensor([1, 3])).sum().backward()
    mask = made(X, torch.tensor([1, 3])).detach() / X
    assert x.grad is not None
    torch.testing.assert_close(x.grad, mask)


@pytest.mark.parametrize("name", ALL_PARTS)
def test_every_parameter_learns_whatever_regions_a_batch_has(name: str) -> None:
    made = part(name)
    made(X, torch.tensor([1, 1])).sum().backward()
    assert [n for n, p in made.named_parameters() if p.grad is None] == []


@pytest.mark.parametrize("name", ALL_PARTS)
def test_parts_need_a_region_with_training_rows(name: str) -> None:
    with pytest.raises(SpecError, match="no training row is of one"):
        PARTS[name](context(rows=(12, 0, 0, 0), region_mask=name))
    with pytest.raises(SpecError, match="0 regions"):
        PARTS[name](RegionContext(REGIONAL, 0, ModelConf()))


def test_md_needs_a_region_dependent_feature() -> None:
    with pytest.raises(SpecError, match="no feature is declared region-dependent"):
        MdMask(RegionContext((False, False), 2, ModelConf()))


@pytest.mark.parametrize("name", list(PARTS))
@given(st.lists(st.integers(0, 4), max_size=12), st.integers(0, 999))
def test_a_row_is_changed_by_itself(name: str, regions: list[int], seed: int) -> None:
    """Whatever regions stand around it, and in whatever order."""
    made, draw = part(name), torch.Generator().manual_seed(seed)
    x, region = torch.randn(len(regions), 4, generator=draw), torch.tensor(regions).long()
    order = torch.randperm(len(regions), generator=draw)
    torch.testing.assert_close(made(x[order], region[order]), made(x, region)[order])
    for i in order[:2]:
        torch.testing.assert_close(made(x[i : i + 1], region[i : i + 1])[0], made(x, region)[i])


def test_without_counts_every_known_region_is_seen() -> None:
    assert context(rows=()).seen == (False, True, True, True)
    assert context().seen == (False, True, False, True)


def test_factors_stay_between_0_and_2() -> None:
    made = part("pepnet")
    assert isinstance(made, PepnetGate)
    m = made.gate(1e4 * X, torch.tensor([1, 3])).detach()
    assert float(m.min()) >= 0.0 and float(m.max()) <= 2.0 and math.isfinite(float(m.sum()))
