"""ESMM, AITM, ResFlow and SEQ against their equations."""

import math

import pytest
import torch
from torch import Tensor, nn

from conf.sections.model import ModelConf
from model.backbones import Aitm, Esmm, Resflow, Seq
from model.backbones.aitm import Transfer
from model.backbones.grouped import GroupedLinear
from model.heads.links import LINKS
from model.heads.position_bias import NoBias

TASKS = ("click", "cart", "purchase", "relevance")


def sigmoid(x: float) -> float:
    return 1.0 / (1.0 + math.exp(-x))


def fill(parameter: nn.Parameter, values: list[float]) -> None:
    with torch.no_grad():
        parameter.copy_(torch.tensor(values).view_as(parameter))


def test_esmm_is_a_network_a_task() -> None:
    torch.manual_seed(1)
    esmm = Esmm(3, TASKS, ModelConf(hidden=(4, 2)))
    x = torch.randn(5, 3)
    out = esmm(x)
    layer = esmm.bottoms.layers[1]
    assert isinstance(layer, GroupedLinear)
    for t, task in enumerate(TASKS):
        rows = slice(4 * t, 4 * t + 4)
        hidden = torch.relu(x @ esmm.first.weight[rows].T + esmm.first.bias[rows])
        expected = torch.relu(hidden @ layer.weight[t] + layer.bias[2 * t : 2 * t + 2])
        torch.testing.assert_close(out[task], expected)


def test_esmm_s_product_of_probabilities() -> None:
    logits = torch.tensor([[0.0, math.log(3.0), -math.log(4.0)]])
    prob = LINKS["conditional"].compute_log_prob(logits, None, NoBias(1, 10))
    # p_ctr = 1/2, p_ctcvr = 1/2 * 3/4, and the third step 3/8 * 1/5
    assert prob.log_p.exp()[0].tolist() == pytest.approx([0.5, 0.375, 0.075])
    assert prob.log_not_p.exp()[0].tolist() == pytest.approx([0.5, 0.625, 0.925])


def test_aitm_s_transfer_by_hand() -> None:
    transfer = Transfer(2)
    fill(transfer.handed_on.weight, [1.0, 0.0, 0.0, 1.0])
    fill(transfer.handed_on.bias, [0.0, -1.0])
    # rows: value 2 x 2, key 2 x 2, query 2 x 2
    identity, doubled = [1.0, 0.0, 0.0, 1.0], [2.0, 0.0, 0.0, 2.0]
    fill(transfer.maps.weight, [*doubled, *identity, *identity])
    q, before = [1.0, 2.0], [3.0, 0.5]
    p = [3.0, 0.0]  # relu of (3, 0.5) + (0, -1)
    scores = [(q[0] ** 2 + q[1] ** 2) / math.sqrt(2), (p[0] ** 2 + p[1] ** 2) / math.sqrt(2)]
    of_q = math.exp(scores[0]) / (math.exp(scores[0]) + math.exp(scores[1]))
    expected = [2 * (of_q * q[i] + (1 - of_q) * p[i]) for i in range(2)]
    found = transfer(torch.tensor([q]), torch.tensor([before]))
    assert found[0].tolist() == pytest.approx(expected)


def test_aitm_hands_on_along_the_steps_only() -> None:
    torch.manual_seed(2)
    aitm = Aitm(3, TASKS, ModelConf(hidden=(4, 2)))
    x = torch.randn(6, 3)
    q = dict(zip(TASKS, aitm.bottoms(aitm.first(x)).unbind(0), strict=True))
    out = aitm(x)
    torch.testing.assert_close(out["click"], q["click"])
    torch.testing.assert_close(out["cart"], aitm.transfers[0](q["cart"], q["click"]))
    torch.testing.assert_close(out["purchase"], aitm.transfers[1](q["purchase"], out["cart"]))
    torch.testing.assert_close(out["relevance"], q["relevance"])


def test_resflow_by_hand() -> None:
    resflow = Resflow(1, TASKS, ModelConf(hidden=(1, 1)))
    fill(resflow.first.weight, [1.0, -1.0, 2.0, 5.0])
    fill(resflow.first.bias, [0.0] * 4)
    layer = resflow.layers[0]
    assert isinstance(layer, GroupedLinear)
    fill(layer.weight, [1.0, 1.0, -1.0, 1.0])
    fill(layer.bias, [0.0, 1.0, 1.0, 0.0])
    # layer 1: relu 1, 0, 2 | 5, linked 1, 1 + 0, 1 + 2 | 5
    # layer 2: relu(1), relu(1 + 1), relu(-3 + 1) | 5, linked 1, 1 + 2, 3 + 0 | 5
    out = resflow(torch.tensor([[1.0]]))
    expected = {"click": 1.0, "cart": 3.0, "purchase": 3.0, "relevance": 5.0}
    assert {task: value.item() for task, value in out.items()} == expected


def test_resflow_s_logits_add_up() -> None:
    prob = LINKS["residual"].compute_log_prob(torch.tensor([[0.5, -1.0, 2.0]]), None, NoBias(3, 10))
    expected = [sigmoid(0.5), sigmoid(-0.5), sigmoid(1.5)]
    assert prob.log_p.exp()[0].tolist() == pytest.approx(expected)


def seq_states(seq: Seq, u: Tensor) -> list[Tensor]:
    """The recurrence as it is written down, with torch's own cell."""
    state = torch.zeros(len(u), seq.out_dim)
    states = []
    for e in seq.embedding:
        state = seq.cell(torch.cat([u, e.expand(len(u), -1)], dim=1), state)
        states.append(state)
    return states


def test_seq_is_torch_s_gru_cell_over_the_steps() -> None:
    torch.manual_seed(3)
    seq = Seq(3, TASKS, ModelConf(hidden=(8, 5), task_embedding=4))
    x = torch.randn(7, 3)
    out = seq(x)
    u = seq.bottom(x)
    for step, expected in zip(TASKS, seq_states(seq, u), strict=False):
        torch.testing.assert_close(out[step], expected)
    torch.testing.assert_close(out["relevance"], u)


def test_seq_by_hand() -> None:
    seq = Seq(1, ("click", "cart"), ModelConf(hidden=(1,), task_embedding=1))
    fill(seq.bottom[0].weight, [1.0])
    fill(seq.bottom[0].bias, [0.0])
    fill(seq.embedding, [1.0, -1.0])
    # rows: reset, update, new; columns: u, e
    fill(seq.cell.weight_ih, [0.5, 0.1, -0.5, 0.2, 1.0, 0.3])
    fill(seq.cell.weight_hh, [0.4, 0.6, 0.8])
    fill(seq.cell.bias_ih, [0.0, 0.1, 0.0])
    fill(seq.cell.bias_hh, [0.0, 0.0, 0.2])
    h, expected = 0.0, {}
    for step, e in (("click", 1.0), ("cart", -1.0)):
        r = sigmoid(0.5 * 2.0 + 0.1 * e + 0.4 * h)
        z = sigmoid(-0.5 * 2.0 + 0.2 * e + 0.1 + 0.6 * h)
        n = math.tanh(1.0 * 2.0 + 0.3 * e + r * (0.8 * h + 0.2))
        h = (1.0 - z) * n + z * h
        expected[step] = h
    out = seq(torch.tensor([[2.0]]))
    assert {task: value.item() for task, value in out.items()} == pytest.approx(expected)
