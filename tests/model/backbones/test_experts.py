"""MMoE, PLE and AdaTT against numbers worked out by hand."""

import math

import pytest
import torch
from torch import Tensor, nn

from conf.sections.model import ModelConf
from model.backbones import Adatt, Backbone, Mmoe, Ple
from model.backbones.grouped import GroupedLinear
from model.backbones.mixture import apply_softmax, mix_experts

LOG3 = math.log(3.0)
"""Logits (LOG3, 0) are gates (3/4, 1/4)."""


def put(layer: nn.Module, weight: list[float], bias: list[float]) -> None:
    """Set a layer of one input unit: one weight and bias an output unit."""
    assert isinstance(layer, nn.Linear | GroupedLinear)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor(weight).view_as(layer.weight))
        layer.bias.copy_(torch.tensor(bias))


def only(backbone: Backbone, x: float) -> dict[str, float]:
    """Outputs of one row with one input unit."""
    out: dict[str, Tensor] = backbone(torch.tensor([[x]]))
    return {task: value.item() for task, value in out.items()}


def test_mmoe_mixes_experts_by_each_task_s_gate() -> None:
    mmoe = Mmoe(1, ("a", "b"), ModelConf(hidden=(1, 1), experts=2))
    put(mmoe.first, [1.0, -0.5, 0.0, 0.0, LOG3 / 2, 0.0], [0.5, 4.0, 0.0, 0.0, 0.0, 0.0])
    put(mmoe.stack.layers[1], [2.0, 1.0], [1.0, -3.5])
    # experts: relu(2 * relu(2 + 0.5) + 1) = 6 and relu(1 * relu(-1 + 4) - 3.5) = 0
    assert only(mmoe, 2.0) == pytest.approx({"a": 3.0, "b": 0.75 * 6.0})


def test_mmoe_experts_read_the_input_itself() -> None:
    mmoe = Mmoe(5, ("a", "relevance"), ModelConf(hidden=(4, 3), experts=3))
    assert mmoe.first.weight.shape == (3 * 4 + 2 * 3, 5)


def ple() -> Ple:
    """Two layers; experts: a's, b's, one shared."""
    backbone = Ple(1, ("a", "b"), ModelConf(hidden=(1, 1), task_experts=1, shared_experts=1))
    # the tasks' experts and gates, the shared expert and gate
    put(backbone.first, [1.0, 2.0, *[0.0] * 4, 4.0, 0.0, 0.0, 0.0], [0.0] * 10)
    # a's expert and gate, b's expert and gate
    weight = [1.0, LOG3 / 2.5, 0.0, 1.0, 0.0, 0.0]
    put(backbone.of_tasks[0], weight, [0.0, 0.0, 0.0, 1.0, 0.0, 0.0])
    put(backbone.of_shared[0], [1.0], [-1.0])
    return backbone


def test_ple_by_hand() -> None:
    # layer 1, x = 1: experts 1, 2, 4; x_a = (1 + 4) / 2, x_b = (2 + 4) / 2, x_shared = 7 / 3
    # layer 2: experts 2.5, 3 + 1, 7 / 3 - 1; a's gate is (3/4, 1/4), b's (1/2, 1/2)
    a = 0.75 * 2.5 + 0.25 * (4.0 / 3.0)
    b = 0.5 * (4.0 + 4.0 / 3.0)
    assert only(ple(), 1.0) == pytest.approx({"a": a, "b": b})


def test_ple_keeps_a_task_s_experts_to_itself() -> None:
    backbone = ple()
    layer = backbone.of_tasks[0]
    assert isinstance(layer, GroupedLinear)
    before = only(backbone, 1.0)
    with torch.no_grad():
        layer.bias[3] = 9.0  # b's expert of the last layer
    after = only(backbone, 1.0)
    assert after["a"] == before["a"] and after["b"] > before["b"]


def test_ple_of_one_layer_has_no_shared_gate() -> None:
    backbone = Ple(3, ("a", "b"), ModelConf(hidden=(4,), task_experts=2, shared_experts=3))
    assert backbone.first.out_features == 7 * 4 + 2 * 5


def test_adatt_adds_the_task_s_own_expert_to_the_mixture() -> None:
    adatt = Adatt(1, ("a", "b"), ModelConf(hidden=(1, 1), task_experts=1))
    put(adatt.first, [1.0, 2.0] + [0.0] * 4, [0.0] * 6)
    put(adatt.of_tasks[0], [1.0, LOG3 / 2.5, 0.0, 1.0, 0.0, 0.0], [0.0] * 6)
    # layer 1: x_a = (1 + 2) / 2 + 1 = 2.5, x_b = 1.5 + 2 = 3.5
    # layer 2: a: 3/4 * 2.5 + 1/4 * 3.5 + 2.5; b: (2.5 + 3.5) / 2 + 3.5
    assert only(adatt, 1.0) == pytest.approx({"a": 5.25, "b": 6.5})


def test_adatt_learns_how_its_own_experts_add_up() -> None:
    adatt = Adatt(1, ("a", "b"), ModelConf(hidden=(1,), task_experts=2))
    put(adatt.first, [1.0, 3.0, 5.0, 7.0] + [0.0] * 8, [0.0] * 12)
    # the mixture of all four is 4; own experts start at a half each: 2 and 6
    assert only(adatt, 1.0) == pytest.approx({"a": 6.0, "b": 10.0})
    with torch.no_grad():
        adatt.native[0].copy_(torch.tensor([1.0, -1.0, 0.0, 0.0]))
    assert only(adatt, 1.0) == pytest.approx({"a": 4.0 - 2.0, "b": 4.0})


def test_adatt_with_one_expert_a_task_has_no_weights_for_it() -> None:
    assert len(Adatt(2, ("a", "b"), ModelConf(hidden=(3, 2), task_experts=1)).native) == 0


def test_mixtures_by_hand() -> None:
    gates = torch.tensor([[0.5, 1.0], [0.5, 0.0], [2.0, 3.0]])
    experts = [torch.tensor([[1.0], [2.0]]), torch.tensor([[3.0], [4.0]])]
    first, second = mix_experts(gates, ((0, 0), (0, 1), (1, 1)), experts)
    assert first.tolist() == [[2.0], [2.0]] and second.tolist() == [[6.0], [12.0]]


def test_gradients_of_mixtures() -> None:
    torch.manual_seed(2)
    gates = torch.rand(4, 3, dtype=torch.float64, requires_grad=True)
    experts = [torch.randn(3, 2, dtype=torch.float64, requires_grad=True) for _ in range(3)]
    plan = ((0, 0), (0, 2), (1, 2), (1, 0))  # expert 1 is in no mixture

    def outputs(g: Tensor, *e: Tensor) -> tuple[Tensor, ...]:
        return tuple(mix_experts(g, plan, e))

    assert torch.autograd.gradcheck(outputs, (gates, *experts))


def test_gates_are_softmaxes_of_each_group() -> None:
    logits = torch.tensor([[[0.0, LOG3], [0.0, 0.0]], [[LOG3, 0.0], [5.0, 5.0]]])  # [G, B, E]
    expected = [[0.25, 0.5], [0.75, 0.5], [0.75, 0.5], [0.25, 0.5]]  # [G * E, B]
    torch.testing.assert_close(apply_softmax(logits), torch.tensor(expected))
