"""Losses against numbers worked out by hand in plain Python."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from model.losses import (
    LogProb,
    TaskLoss,
    compute_log1m_exp,
    corn_loss,
    log_prob_of,
    masked_bce,
    total_loss,
)


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def test_masked_bce_counts_known_rows_only() -> None:
    logit = torch.tensor([0.3, -1.2, 5.0])
    label, weight = torch.tensor([1.0, 0.0, float("nan")]), torch.tensor([1.0, 2.0, 0.0])
    loss = masked_bce(log_prob_of(logit), label, weight)
    expected = -math.log(sigmoid(0.3)) - 2 * math.log(1 - sigmoid(-1.2))
    assert float(loss.total) == pytest.approx(expected, rel=1e-6)
    assert float(loss.weight) == 3.0


def test_a_task_without_labels_adds_nothing_and_no_nan_gradient() -> None:
    logit = torch.tensor([0.3, 0.1], requires_grad=True)
    none = masked_bce(log_prob_of(logit), torch.tensor([float("nan")] * 2), torch.zeros(2))
    ge = torch.full((2, 2), float("nan"))
    both = torch.stack([logit, logit], dim=1)
    loss = total_loss({"click": none, "relevance": corn_loss(both, ge, torch.zeros(2))}, {})
    loss.backward()
    assert float(loss.detach()) == 0.0
    assert logit.grad is not None and logit.grad.tolist() == [0.0, 0.0]


def test_total_loss_weighs_tasks_by_conf_and_divides_by_the_weights() -> None:
    losses = {
        "click": TaskLoss(torch.tensor(6.0), torch.tensor(3.0)),
        "cart": TaskLoss(torch.tensor(5.0), torch.tensor(10.0)),
    }
    assert float(total_loss(losses, {"click": 0.5})) == pytest.approx(0.5 * 2.0 + 1.0 * 0.5)
    behind = {"click": torch.tensor(12.0), "cart": torch.tensor(10.0)}
    assert float(total_loss(losses, {}, behind)) == pytest.approx(0.5 + 0.5)


def test_corn_is_the_papers_loss_on_hard_labels() -> None:
    """Subsets of the paper: step 1 all rows, step 2 the rows with grade >= 1."""
    logits = [(0.4, -0.3), (-1.0, 2.0), (2.0, 0.5)]
    grades = [0, 1, 2]
    step_1 = [
        math.log(sigmoid(a)) if g >= 1 else math.log(1 - sigmoid(a))
        for (a, _), g in zip(logits, grades, strict=True)
    ]
    step_2 = [
        math.log(sigmoid(b)) if g >= 2 else math.log(1 - sigmoid(b))
        for (_, b), g in zip(logits, grades, strict=True)
        if g >= 1
    ]
    expected = -(sum(step_1) + sum(step_2)) / (len(step_1) + len(step_2))
    ge = torch.tensor([[float(g >= k) for k in (1, 2)] for g in grades])
    loss = corn_loss(torch.tensor(logits), ge, torch.ones(3))
    assert float(loss.weight) == 5.0
    assert float(loss.total / loss.weight) == pytest.approx(expected, rel=1e-6)


def test_corn_takes_soft_labels_as_conditional_probabilities() -> None:
    a, b, ge_1, ge_2 = 0.4, -0.3, 0.8, 0.2
    first = ge_1 * math.log(sigmoid(a)) + (1 - ge_1) * math.log(1 - sigmoid(a))
    share = ge_2 / ge_1
    second = share * math.log(sigmoid(b)) + (1 - share) * math.log(1 - sigmoid(b))
    loss = corn_loss(torch.tensor([[a, b]]), torch.tensor([[ge_1, ge_2]]), torch.tensor([2.0]))
    assert float(loss.total) == pytest.approx(-2 * (first + ge_1 * second), rel=1e-6)
    assert float(loss.weight) == pytest.approx(2 * (1 + ge_1))


def test_corn_stays_finite_at_extreme_logits() -> None:
    logits = torch.tensor([[200.0, -200.0]], requires_grad=True)
    loss = corn_loss(logits, torch.tensor([[0.0, 0.0]]), torch.ones(1))
    loss.total.backward()
    assert float(loss.total.detach()) == pytest.approx(200.0)
    assert logits.grad is not None and bool(torch.isfinite(logits.grad).all())


@settings(max_examples=50, deadline=None)
@given(st.floats(-30, -1e-4))
def test_log1m_exp(x: float) -> None:
    found = float(compute_log1m_exp(torch.tensor([x], dtype=torch.float64)))
    assert found == pytest.approx(math.log(-math.expm1(x)), rel=1e-9)


def test_log_prob_of_certain_rows_is_finite() -> None:
    prob = log_prob_of(torch.tensor([500.0]))
    loss = masked_bce(LogProb(*prob), torch.zeros(1), torch.ones(1))
    assert float(loss.total) == pytest.approx(500.0)


def test_shards_divided_by_the_weight_of_all_add_up_to_the_whole() -> None:
    """What the trainer does with several processes: average of gradients, times processes."""
    logit = torch.linspace(-1, 1, 6)
    label, weight = torch.tensor([1.0, 0, 0, 1, 0, 1]), torch.tensor([1.0, 1, 1, 1, 0, 0])

    def losses(rows: slice, x: torch.Tensor) -> dict[str, TaskLoss]:
        return {"click": masked_bce(log_prob_of(x[rows]), label[rows], weight[rows])}

    def gradient(rows: slice, behind: dict[str, torch.Tensor] | None) -> torch.Tensor:
        x = logit.clone().requires_grad_()
        total_loss(losses(rows, x), {"click": 0.5}, behind).backward()
        assert x.grad is not None
        return x.grad

    behind = {"click": weight.sum()}
    shards = [gradient(slice(0, 3), behind), gradient(slice(3, 6), behind)]
    torch.testing.assert_close(shards[0] + shards[1], gradient(slice(0, 6), None))
