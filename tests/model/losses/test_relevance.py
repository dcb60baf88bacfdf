"""The relevance heads' losses against numbers worked out again in plain Python."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from model.losses import (
    TaskLoss,
    grade_entropy,
    lambda_rank_loss,
    listnet_loss,
    squared_error,
    thresholds_loss,
)
from model.losses.grade_entropy import compute_grade_probabilities

NAN = float("nan")


def log_sigmoid(x: float) -> float:
    return -math.log1p(math.exp(-x))


def softmax(values: list[float]) -> list[float]:
    total = sum(math.exp(v) for v in values)
    return [math.exp(v) / total for v in values]


def test_thresholds_add_the_cross_entropies_of_all_grades() -> None:
    logits = torch.tensor([[0.4, -0.3], [7.0, 7.0]])
    label = torch.tensor([[0.8, 0.2], [NAN, NAN]])
    loss = thresholds_loss(logits, label, torch.tensor([2.0, 0.0]))
    first = 0.8 * log_sigmoid(0.4) + 0.2 * log_sigmoid(-0.4)
    second = 0.2 * log_sigmoid(-0.3) + 0.8 * log_sigmoid(0.3)
    assert float(loss.total) == pytest.approx(-2 * (first + second), rel=1e-6)
    assert float(loss.weight) == 2.0


def test_grade_probabilities_of_hard_and_soft_labels() -> None:
    found = compute_grade_probabilities(
        torch.tensor([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.75, 0.5]])
    )
    assert found.tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1], [0.25, 0.25, 0.5]]


def test_entropy_over_the_grades() -> None:
    z = [0.2, -0.4, 1.0]
    loss = grade_entropy(torch.tensor([z]), torch.tensor([[0.75, 0.5]]), torch.tensor([3.0]))
    log_p = [math.log(p) for p in softmax(z)]
    expected = -3 * (0.25 * log_p[0] + 0.25 * log_p[1] + 0.5 * log_p[2])
    assert float(loss.total) == pytest.approx(expected, rel=1e-6)


def test_squared_error_is_of_the_expected_grade() -> None:
    label = torch.tensor([[1.0, 1.0], [0.5, 0.0], [NAN, NAN]])
    loss = squared_error(torch.tensor([1.5, -0.25, 9.0]), label, torch.tensor([1.0, 2.0, 0.0]))
    assert float(loss.total) == pytest.approx(0.25 + 2 * 0.75**2)
    assert float(loss.weight) == 3.0


def test_listnet_by_hand_over_two_lists_that_lie_interleaved() -> None:
    scores = [0.3, 1.0, -0.5, 0.2, 9.0]
    grades = [2, 0, 1, 1, 0]
    lists = [4.0, 7.0, 4.0, 7.0, 4.0]
    weight = [1.0, 1.0, 1.0, 1.0, 0.0]
    label = torch.tensor([[float(g >= 1), float(g >= 2)] for g in grades])
    loss = listnet_loss(torch.tensor(scores), label, torch.tensor(weight), torch.tensor(lists))
    expected = 0.0
    for rows in ([0, 2], [1, 3]):
        target = softmax([float(grades[i]) for i in rows])
        found = softmax([scores[i] for i in rows])
        cross = -sum(y * math.log(p) for y, p in zip(target, found, strict=True))
        expected += len(rows) * cross
    assert float(loss.total) == pytest.approx(expected, rel=1e-6)
    assert float(loss.weight) == 4.0


def test_listnet_counts_a_row_as_often_as_it_weighs() -> None:
    """Weight 2 has the gradient of two copies that share a score."""
    score = torch.tensor([0.3, -0.2], requires_grad=True)
    label = torch.tensor([[1.0, 1.0], [1.0, 0.0]])
    listnet_loss(score, label, torch.tensor([2.0, 1.0]), torch.zeros(2)).total.backward()
    copies = score.detach()[[0, 0, 1]].requires_grad_()
    listnet_loss(copies, label[[0, 0, 1]], torch.ones(3), torch.zeros(3)).total.backward()
    assert score.grad is not None and copies.grad is not None
    assert float(score.grad[0]) == pytest.approx(float(copies.grad[:2].sum()), rel=1e-5)


def test_listnet_is_lowest_where_scores_are_the_expected_grades() -> None:
    label = torch.tensor([[0.9, 0.3], [0.2, 0.1], [1.0, 0.8]])
    score = (label.sum(dim=1) + 5.0).requires_grad_()
    listnet_loss(score, label, torch.ones(3), torch.zeros(3)).total.backward()
    assert score.grad is not None and float(score.grad.abs().max()) < 1e-6


def test_lambda_rank_by_hand() -> None:
    """Grades 2, 0, 1 at ranks 2, 1, 3; best DCG 3 / log2(2) + 1 / log2(3)."""
    scores, gains, ranks = [0.5, 0.9, -1.0], [3.0, 0.0, 1.0], [2, 1, 3]
    best = 3.0 + 1.0 / math.log2(3)
    expected = 0.0
    for i, j in ((0, 1), (0, 2), (2, 1)):
        swap = abs(1 / math.log2(1 + ranks[i]) - 1 / math.log2(1 + ranks[j]))
        delta = (gains[i] - gains[j]) / best * swap
        expected += delta * math.log2(1 + math.exp(scores[j] - scores[i]))
    label = torch.tensor([[1.0, 1.0], [0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [NAN, NAN]])
    found = lambda_rank_loss(
        torch.tensor([*scores, 5.0, 6.0]),
        label,
        torch.tensor([1.0, 1.0, 1.0, 1.0, 0.0]),
        torch.tensor([0.0, 0.0, 0.0, 1.0, 0.0]),
    )
    assert float(found.total) == pytest.approx(expected, rel=1e-5)
    assert float(found.weight) == 4.0


def test_lambda_rank_takes_the_expected_gain_of_a_soft_label() -> None:
    """P(>= 1) + 2 P(>= 2): 1.0 for the first row, 0.6 for the second."""
    label = torch.tensor([[0.6, 0.2], [0.2, 0.2]])
    found = lambda_rank_loss(
        torch.tensor([0.0, 0.1]), label, torch.tensor([1.0, 0.5]), torch.zeros(2)
    )
    best = 1.0 + 0.6 / math.log2(3)
    delta = 0.4 / best * (1 - 1 / math.log2(3))
    assert float(found.total) == pytest.approx(
        0.75 * delta * math.log2(1 + math.exp(0.1)), rel=1e-5
    )


def all_losses(
    logits: torch.Tensor, label: torch.Tensor, weight: torch.Tensor, lists: torch.Tensor
) -> dict[str, TaskLoss]:
    return {
        "thresholds": thresholds_loss(logits[:, :2], label, weight),
        "entropy": grade_entropy(logits, label, weight),
        "squared": squared_error(logits[:, 0], label, weight),
        "listnet": listnet_loss(logits[:, 0], label, weight, lists),
        "lambda": lambda_rank_loss(logits[:, 0], label, weight, lists),
    }


@pytest.mark.parametrize("rows", [0, 1, 5])
def test_without_labels_the_loss_and_its_gradient_are_zero(rows: int) -> None:
    logits = torch.randn(rows, 3, requires_grad=True)
    label, weight = torch.full((rows, 2), NAN), torch.zeros(rows)
    for name, loss in all_losses(logits, label, weight, torch.zeros(rows)).items():
        logits.grad = None
        loss.total.backward()
        assert float(loss.total.detach()) == float(loss.weight) == 0.0, name
        assert logits.grad is None or not bool(logits.grad.any()), name


@given(st.integers(1, 30), st.integers(1, 5), st.integers(0, 10**6))
def test_rows_of_weight_0_change_nothing_and_the_order_of_rows_neither(
    rows: int, lists: int, seed: int
) -> None:
    draw = torch.Generator().manual_seed(seed)
    logits = torch.randn(rows, 3, generator=draw)
    label = torch.rand(rows, 2, generator=draw).sort(dim=1, descending=True).values
    weight = torch.randint(0, 3, (rows,), generator=draw) * 0.5
    code = torch.randint(0, lists, (rows,), generator=draw).float()
    kept = torch.nonzero(weight > 0).squeeze(1)
    mixed = kept[torch.randperm(len(kept), generator=draw)]
    label[weight == 0] = NAN
    whole = all_losses(logits, label, weight, code)
    for name, loss in all_losses(logits[mixed], label[mixed], weight[mixed], code[mixed]).items():
        torch.testing.assert_close(loss.total, whole[name].total, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(loss.weight, whole[name].weight)
        assert float(loss.total) >= 0.0
