"""Position bias: neutral at positions 0 and 1, and the effect of its parameters by hand."""

import math

import pytest
import torch

from model.heads import POSITION_BIASES, AdditiveBias, MultiplicativeBias, PositionInput


@pytest.mark.parametrize("kind", sorted(POSITION_BIASES))
def test_position_1_and_a_missing_position_are_neutral(kind: str) -> None:
    bias = POSITION_BIASES[kind](2, 10)
    for parameter in bias.parameters():
        torch.nn.init.normal_(parameter)
    logits = torch.tensor([[0.3, -2.0], [1.0, 0.0]])
    serving = bias(logits, None)
    for position in (0.0, 1.0):
        shown = bias(logits, torch.full((2,), position))
        torch.testing.assert_close(shown.log_p, serving.log_p)
        torch.testing.assert_close(shown.log_not_p, serving.log_not_p)
    torch.testing.assert_close(serving.log_p.exp(), torch.sigmoid(logits))


def test_additive_bias_by_hand() -> None:
    bias = AdditiveBias(1, 5)
    with torch.no_grad():
        bias.slope.fill_(2.0)
        bias.table[3] = 0.25
    with torch.no_grad():
        shown = bias(torch.tensor([[0.5]]), torch.tensor([3.0]))
    expected = 0.5 - 2.0 * math.log(3.0) + 0.25
    assert float(shown.log_p.exp()) == pytest.approx(1 / (1 + math.exp(-expected)), rel=1e-6)


def test_multiplicative_bias_by_hand() -> None:
    bias = MultiplicativeBias(1, 5)
    with torch.no_grad():
        shown = bias(torch.tensor([[0.5]]), torch.tensor([4.0]))
    expected = (1 / 4) / (1 + math.exp(-0.5))
    assert float(shown.log_p.exp()) == pytest.approx(expected, rel=1e-5)
    assert float(shown.log_not_p.exp()) == pytest.approx(1 - expected, rel=1e-5)


def test_seen_never_exceeds_one() -> None:
    bias = MultiplicativeBias(3, 20)
    for parameter in bias.parameters():
        torch.nn.init.normal_(parameter, std=5.0)
    assert float(bias.compute_log_seen(torch.arange(21)).detach().max()) <= 0.0


@pytest.mark.parametrize("kind", ["additive", "multiplicative"])
def test_positions_behind_the_last_share_its_bias(kind: str) -> None:
    bias = POSITION_BIASES[kind](1, 5)
    for parameter in bias.parameters():
        torch.nn.init.normal_(parameter)
    with torch.no_grad():
        shown = bias(torch.zeros(2, 1), torch.tensor([5.0, 900.0])).log_p
    assert float(shown[0]) == float(shown[1])


def test_gradients_are_finite_where_seen_is_certain() -> None:
    bias = MultiplicativeBias(1, 5)
    logits = torch.tensor([[80.0], [-80.0]], requires_grad=True)
    shown = bias(logits, torch.tensor([1.0, 3.0]))
    (shown.log_p.sum() + shown.log_not_p.sum()).backward()
    assert logits.grad is not None and bool(torch.isfinite(logits.grad).all())


def test_a_position_that_is_an_input_adds_nothing_at_the_top() -> None:
    added = PositionInput(1, 8)
    with torch.no_grad():
        added.layer.weight.copy_(torch.tensor([[1.0, 10.0, 100.0, 1_000.0, 10_000.0]]))
        found = added(torch.tensor([0.0, 1.0, 2.0, 5.0, 900.0])).flatten().tolist()
    assert added.high.tolist() == [2.0, 3.0, 4.0, 6.0, 8.0]
    assert found == pytest.approx([0.0, 0.0, 1.0, 111.0 + 500.0, 11_111.0])


def test_both_forms_start_at_one_over_the_position() -> None:
    position = torch.tensor([0, 1, 2, 5])
    expected = torch.tensor([1.0, 1.0, 1 / 2, 1 / 5]).log().unsqueeze(1).expand(4, 2)
    with torch.no_grad():
        torch.testing.assert_close(AdditiveBias(2, 5).compute_bias(position), expected)
        torch.testing.assert_close(MultiplicativeBias(2, 5).compute_log_seen(position), expected)


def test_a_larger_entry_of_the_multiplicative_table_hides_its_position() -> None:
    bias = MultiplicativeBias(1, 5)
    with torch.no_grad():
        bias.slope.zero_()
        bias.table[3] = 0.5
        seen = bias.compute_log_seen(torch.tensor([2, 3])).squeeze(1).tolist()
    expected = [-math.log(2.0) * math.log(2.0), -math.log(3.0) * math.log(1 + math.exp(0.5))]
    assert seen == pytest.approx(expected)


def test_a_sure_click_that_did_not_come_has_its_full_loss_at_position_1() -> None:
    bias = MultiplicativeBias(1, 5)
    logits = torch.tensor([[80.0]], requires_grad=True)
    loss = -bias(logits, torch.tensor([1.0])).log_not_p.sum()
    loss.backward()
    assert float(loss.detach()) == pytest.approx(80.0)
    assert logits.grad is not None and float(logits.grad) == pytest.approx(1.0)
