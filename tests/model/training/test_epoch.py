"""What a summed loss is divided by, and the figures of an epoch, by hand."""

import pytest
import torch

from model.losses import TaskLoss
from model.training.distributed import Ranks
from model.training.epoch import EpochSums, LabelMass, TrainingError

ALONE = Ranks(0, 1, torch.device("cpu"))


def batch(click: tuple[float, float], cart: tuple[float, float]) -> dict[str, TaskLoss]:
    """Summed loss and weight of each task."""
    pairs = {"click": torch.tensor(click), "cart": torch.tensor(cart)}
    return {task: TaskLoss(pair[0], pair[1]) for task, pair in pairs.items()}


def test_by_epoch_it_is_the_mean_over_the_batches_so_far() -> None:
    mass = LabelMass(by_epoch=True)
    found = [
        mass.compute_denominators(torch.tensor(w)).tolist()
        for w in ([4.0, 0.0], [2.0, 6.0], [0.0, 3.0])
    ]
    assert found == [[4.0, 0.0], [3.0, 3.0], [2.0, 3.0]]


def test_by_batch_it_is_that_of_the_batch() -> None:
    mass = LabelMass(by_epoch=False)
    found = [mass.compute_denominators(torch.tensor(w)).tolist() for w in ([4.0, 0.0], [2.0, 6.0])]
    assert found == [[4.0, 0.0], [2.0, 6.0]]


def test_an_epoch_has_the_mean_over_labels_not_over_batches() -> None:
    sums = EpochSums(("click", "cart"), ALONE)
    sums.add(batch((6.0, 4.0), (0.0, 0.0)), torch.tensor([1.0, 1.0, 1.0, 1.0]))
    assert sums.compute_means() == {"click": 1.5, "cart": None}
    sums.add(batch((3.0, 2.0), (4.0, 1.0)), torch.tensor([1.0, 1.0, 0.0, 0.0]))
    assert sums.check_finite(1, "training").compute_means() == {"click": 1.5, "cart": 4.0}
    assert sums.rows == 6
    assert sums.compute_total({"cart": 0.5}) == 1.5 + 0.5 * 4.0


def test_a_loss_that_is_not_finite_is_refused() -> None:
    sums = EpochSums(("click", "cart"), ALONE)
    sums.add(batch((6.0, 4.0), (float("nan"), 1.0)), torch.ones(4))
    with pytest.raises(TrainingError, match="the validation loss of epoch 3 is not finite"):
        sums.check_finite(3, "validation")
