"""CORAL and CORN beside coral-pytorch, the authors' own implementation."""

import pytest
import torch
from torch import Tensor

from conf.sections.model import ModelConf
from model.heads import CoralHead, CornHead
from model.losses import corn_loss, thresholds_loss

losses = pytest.importorskip("coral_pytorch.losses", reason="coral-pytorch is not installed")
layers = pytest.importorskip("coral_pytorch.layers", reason="coral-pytorch is not installed")
dataset = pytest.importorskip("coral_pytorch.dataset", reason="coral-pytorch is not installed")

GRADES, ROWS, WIDTH = 3, 200, 7
CONF = ModelConf(tower=())


@pytest.fixture
def hidden() -> Tensor:
    torch.manual_seed(11)
    return torch.randn(ROWS, WIDTH)


@pytest.fixture
def grades() -> Tensor:
    return torch.randint(0, GRADES, (ROWS,), generator=torch.Generator().manual_seed(12))


def label_ge(grades: Tensor) -> Tensor:
    return torch.stack([(grades >= k).float() for k in range(1, GRADES)], dim=1)


def test_levels_are_our_labels(grades: Tensor) -> None:
    theirs = dataset.levels_from_labelbatch(grades, num_classes=GRADES)
    torch.testing.assert_close(label_ge(grades), theirs)


def test_coral_layer_loss_and_probabilities(hidden: Tensor, grades: Tensor) -> None:
    """Their weights and biases copied into our head: w.h + b_1, and b_2 = b_1 - gap."""
    theirs = layers.CoralLayer(WIDTH, GRADES)
    ours = CoralHead(WIDTH, CONF)
    last = ours.tower[-1]
    assert isinstance(last, torch.nn.Linear)
    with torch.no_grad():
        theirs.coral_bias.copy_(torch.tensor([0.8, -0.6]))
        last.weight.copy_(theirs.coral_weights.weight)
        last.bias.fill_(0.8)
    ours.gap.start_at(0.8 + 0.6)
    expected, logits = theirs(hidden), ours(hidden)
    torch.testing.assert_close(
        ours.compute_threshold_logits(logits), expected, rtol=1e-5, atol=1e-5
    )
    torch.testing.assert_close(
        ours.compute_probabilities(logits), torch.sigmoid(expected), rtol=1e-5, atol=1e-5
    )
    found = ours.compute_loss(logits, label_ge(grades), torch.ones(ROWS), torch.zeros(ROWS))
    torch.testing.assert_close(
        found.total / found.weight,
        losses.coral_loss(expected, label_ge(grades)),
        rtol=1e-5,
        atol=1e-5,
    )


def test_threshold_loss_row_by_row(grades: Tensor) -> None:
    logits = torch.randn(ROWS, GRADES - 1) * 3
    theirs = losses.coral_loss(logits, label_ge(grades), reduction=None)
    for i in (0, 57, ROWS - 1):
        found = thresholds_loss(logits[i : i + 1], label_ge(grades[i : i + 1]), torch.ones(1))
        torch.testing.assert_close(found.total, theirs[i], rtol=1e-5, atol=1e-5)


def test_corn_loss_and_probabilities(hidden: Tensor, grades: Tensor) -> None:
    """Both divide by the sizes of the conditional subsets together."""
    head = CornHead(WIDTH, CONF)
    logits = head(hidden)
    found = corn_loss(logits, label_ge(grades), torch.ones(ROWS))
    theirs = losses.corn_loss(logits, grades, GRADES)
    torch.testing.assert_close(found.total / found.weight, theirs, rtol=1e-5, atol=1e-5)
    assert float(found.weight) == ROWS + int((grades >= 1).sum())
    read = head.compute_probabilities(logits)
    labels = dataset.corn_label_from_logits(logits)
    torch.testing.assert_close((read > 0.5).sum(dim=1), labels)
    torch.testing.assert_close(read, torch.cumprod(torch.sigmoid(logits), dim=1))


def test_gradients_are_the_same(hidden: Tensor, grades: Tensor) -> None:
    logits = torch.randn(ROWS, GRADES - 1, requires_grad=True)
    loss = corn_loss(logits, label_ge(grades), torch.ones(ROWS))
    (loss.total / loss.weight).backward()
    ours = logits.grad
    logits.grad = None
    losses.corn_loss(logits, grades, GRADES).backward()
    assert ours is not None and logits.grad is not None
    torch.testing.assert_close(ours, logits.grad, rtol=1e-5, atol=1e-5)
