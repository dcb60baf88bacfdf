"""How steps' probabilities follow from one another, and the penalty on rising ones."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from conf.sections.model import ModelConf
from model.backbones import BACKBONES
from model.heads import EngagementHead
from model.heads.links import LINKS, choose_descending_weight, choose_link
from model.heads.position_bias import AdditiveBias, MultiplicativeBias, NoBias
from model.losses import descending_loss
from model.losses.descending import compute_violation

TASKS = ("click", "cart", "purchase")
LOGITS = st.lists(st.floats(-80, 80), min_size=3, max_size=3)


def head_of(link: str, bias: str = "additive", tower: tuple[int, ...] = (3,)) -> EngagementHead:
    torch.manual_seed(7)
    kinds = {"additive": AdditiveBias, "multiplicative": MultiplicativeBias, "none": NoBias}
    found = LINKS[link]
    conf = ModelConf(hidden=(4,), tower=tower)
    return EngagementHead(4, TASKS, conf, kinds[bias](found.count_biased(3), 20), found)


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("bias", ["additive", "multiplicative", "none"])
def test_at_position_1_all_ways_give_the_same(link: str, bias: str) -> None:
    head = head_of(link, bias)
    by_task = {task: torch.randn(6, 4) for task in TASKS}
    served = head.compute_probabilities(head.compute_logits(by_task))
    for position in (None, torch.ones(6)):
        prob = head(by_task, position)
        torch.testing.assert_close(prob.log_p.exp(), served)
        torch.testing.assert_close(prob.log_not_p.exp(), 1.0 - served)


@pytest.mark.parametrize("link", LINKS)
def test_steps_start_at_their_rates(link: str) -> None:
    head = head_of(link, tower=())
    rates = {"click": 0.3, "cart": 0.12, "purchase": 0.03}
    head.start_at(rates)
    nothing = {task: torch.zeros(1, 4) for task in TASKS}
    found = head(nothing, None).log_p.exp()[0].tolist()
    assert found == pytest.approx(list(rates.values()), rel=1e-5)


@pytest.mark.parametrize("link", LINKS)
def test_a_step_without_labels_starts_at_the_step_before(link: str) -> None:
    head = head_of(link, tower=())
    head.start_at({"click": 0.3, "purchase": 0.3})
    found = head({task: torch.zeros(1, 4) for task in TASKS}, None).log_p.exp()[0].tolist()
    assert found == pytest.approx([0.3, 0.3, 0.3], abs=1e-3)


@settings(max_examples=200, deadline=None)
@given(LOGITS, st.integers(0, 20))
def test_conditional_steps_never_rise(logits: list[float], position: int) -> None:
    link = LINKS["conditional"]
    row = torch.tensor([logits])
    for bias in (AdditiveBias(1, 20), MultiplicativeBias(1, 20)):
        at = link.compute_log_prob(row, torch.tensor([float(position)]), bias).log_p.exp()[0]
        assert bool((at[1:] <= at[:-1]).all())
    served = link.compute_probabilities(row)[0]
    assert bool((served[1:] <= served[:-1]).all())


@settings(max_examples=100, deadline=None)
@given(LOGITS)
def test_log_probabilities_are_of_probabilities(logits: list[float]) -> None:
    for link in LINKS.values():
        prob = link.compute_log_prob(torch.tensor([logits]), None, NoBias(link.count_biased(3), 20))
        total = prob.log_p.exp() + prob.log_not_p.exp()
        assert torch.isfinite(prob.log_p).all() and torch.isfinite(prob.log_not_p).all()
        torch.testing.assert_close(total, torch.ones_like(total), atol=3e-6, rtol=0)


def test_the_position_counts_in_the_first_conditional_step_only() -> None:
    logits = torch.tensor([[0.4, -0.3, 1.1]])
    bias = AdditiveBias(1, 20)
    first, fifth = (
        LINKS["conditional"].compute_log_prob(logits, torch.tensor([p]), bias).log_p
        for p in (1.0, 5.0)
    )
    lost = (first - fifth)[0]
    assert lost[0].item() > 0.1
    torch.testing.assert_close(lost, lost[:1].expand(3))


def test_residual_towers_add_the_layers_of_the_step_before() -> None:
    head = head_of("residual")
    hidden = {task: torch.randn(2, 4) for task in TASKS}
    before, expected = torch.zeros(2, 3), []
    for task in TASKS:
        linear, relu, last = head.towers[task].children()
        before = relu(linear(hidden[task])) + before
        expected.append(last(before))
    torch.testing.assert_close(head.compute_logits(hidden), torch.cat(expected, dim=1))


@pytest.mark.parametrize(
    ("backbone", "named", "expected", "weight"),
    [
        ("shared_bottom", "auto", "independent", 0.0),
        ("mmoe", "auto", "independent", 0.0),
        ("esmm", "auto", "conditional", 0.0),
        ("resflow", "auto", "residual", 0.0),
        ("aitm", "auto", "independent", 0.6),
        ("seq", "auto", "independent", 0.6),
        ("seq", "conditional", "conditional", 0.0),
        ("esmm", "independent", "independent", 0.0),
    ],
)
def test_what_a_backbone_comes_with(
    backbone: str, named: str, expected: str, weight: float
) -> None:
    conf = ModelConf.model_validate({"backbone": backbone, "link": named})
    made = BACKBONES[backbone](4, TASKS, conf)
    assert choose_link(conf, made) is LINKS[expected]
    assert choose_descending_weight(conf, made) == weight


def test_the_penalty_s_weight_can_be_set() -> None:
    conf = ModelConf.model_validate({"backbone": "aitm", "descending": 0.0})
    backbone = BACKBONES["aitm"](4, TASKS, conf)
    assert choose_descending_weight(conf, backbone) == 0.0
    assert choose_descending_weight(conf.model_copy(update={"descending": 2.5}), backbone) == 2.5


def test_violations_by_hand() -> None:
    prob = torch.tensor([[0.5, 0.7, 0.4], [0.9, 0.3, 0.1], [0.1, 0.2, 0.5], [0.1, 0.9, 0.1]])
    assert compute_violation(prob).tolist() == pytest.approx([0.2, 0.0, 0.4, 0.8])
    loss = descending_loss(prob, torch.tensor([1.0, 1.0, 1.0, 0.0]), 0.6)
    assert loss.total.item() == pytest.approx(0.6 * (0.2 + 0.4)) and loss.weight.item() == 3.0
    assert compute_violation(prob[:, :1]).tolist() == [0.0] * 4


def test_the_penalty_pushes_the_later_step_down() -> None:
    logits = torch.tensor([[0.0, math.log(3.0)]], requires_grad=True)
    descending_loss(torch.sigmoid(logits), torch.ones(1), 1.0).total.backward()
    assert logits.grad is not None
    # p = 1/2 and 3/4; the gradient of a sigmoid is p (1 - p)
    assert logits.grad[0].tolist() == pytest.approx([-0.25, 0.1875])
