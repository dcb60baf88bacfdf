"""Balancing losses: gradients by hand, missing labels, several processes."""

import math

import pytest
import torch
from torch import Tensor, nn

from conf.load import SIMULATED, ConfError, load_conf
from model.losses import TaskLoss
from model.losses.balance import (
    BALANCES,
    PcgradBalance,
    StaticBalance,
    UncertaintyBalance,
    project_conflicts,
)
from model.training.distributed import Ranks

TASKS = ("click", "cart")
ALONE = Ranks(0, 1, torch.device("cpu"))


class Two(nn.Module):
    """Losses 3 (a + b.click) and 2 (2 a + b.cart), over weights 3 and 2; a is shared."""

    def __init__(self, click: tuple[float, float], cart: tuple[float, float]) -> None:
        super().__init__()
        self.shared = nn.Parameter(torch.zeros(2))
        self.own = nn.ParameterDict({task: nn.Parameter(torch.zeros(1)) for task in TASKS})
        self.slopes = {"click": torch.tensor(click), "cart": torch.tensor(cart)}

    def losses(self) -> dict[str, TaskLoss]:
        weights = {"click": 3.0, "cart": 2.0}
        return {
            task: TaskLoss(
                weight * ((self.shared * self.slopes[task]).sum() + self.own[task].sum()),
                torch.tensor(weight),
            )
            for task, weight in weights.items()
        }


def behind(losses: dict[str, TaskLoss]) -> dict[str, Tensor]:
    return {name: loss.weight for name, loss in losses.items()}


def gradients(balance: StaticBalance, two: Two, **more: TaskLoss) -> list[float]:
    """Gradient of the shared parameter, then of each task's own."""
    losses = two.losses() | more
    balance.backward(losses, behind(losses), two.parameters(), ALONE)
    grads = [two.shared.grad, two.own["click"].grad, two.own["cart"].grad]
    return [x for g in grads if g is not None for x in g.tolist()]


def test_static_weights_by_hand() -> None:
    two = Two((1.0, 0.0), (-1.0, 1.0))
    found = gradients(StaticBalance(TASKS, {"cart": 0.5}), two)
    assert found == pytest.approx([0.5, 0.5, 1.0, 0.5])


def test_uncertainty_by_hand() -> None:
    balance, two = UncertaintyBalance(TASKS, {"cart": 0.5}), Two((1.0, 0.0), (-1.0, 1.0))
    with torch.no_grad():
        two.own["click"].fill_(4.0)  # mean losses 4 and 0
        balance.log_variance.copy_(torch.tensor([math.log(2.0), 0.0]))
    found = gradients(balance, two)
    assert found == pytest.approx([0.5 - 0.5, 0.5, 0.5, 0.5])
    assert balance.log_variance.grad is not None
    # d/ds (exp(-s) L + s / 2) = 1/2 - exp(-s) L
    assert balance.log_variance.grad.tolist() == pytest.approx([0.5 - 0.5 * 4.0, 0.5])


def test_uncertainty_leaves_a_task_without_labels_or_weight_alone() -> None:
    balance, two = UncertaintyBalance(TASKS, {"cart": 0.0}), Two((1.0, 0.0), (-1.0, 1.0))
    losses = two.losses()
    losses["click"] = TaskLoss(losses["click"].total * 0.0, torch.tensor(0.0))
    balance.backward(losses, behind(losses), two.parameters(), ALONE)
    assert balance.log_variance.grad is not None
    assert balance.log_variance.grad.tolist() == [0.0, 0.0]


def test_uncertainty_of_two_processes_adds_up_to_that_of_one() -> None:
    balance = UncertaintyBalance(TASKS, {})
    with torch.no_grad():
        balance.log_variance.copy_(torch.tensor([0.3, -0.2]))
    parts = [
        {
            task: TaskLoss(torch.tensor(t * k), torch.tensor(k))
            for task, t in zip(TASKS, (2.0, 5.0), strict=True)
        }
        for k in (1.0, 3.0)
    ]
    whole = {
        task: TaskLoss(parts[0][task].total + parts[1][task].total, torch.tensor(4.0))
        for task in TASKS
    }
    both = Ranks(0, 2, torch.device("cpu"))
    added = sum(balance.combine_losses(part, behind(whole), both) for part in parts)
    torch.testing.assert_close(added, balance.combine_losses(whole, behind(whole), ALONE))


def test_projection_by_hand() -> None:
    found = project_conflicts(torch.tensor([[1.0, 0.0], [-1.0, 1.0]]))
    # (1, 0) + 1/2 (-1, 1) and (-1, 1) + 1 (1, 0)
    assert found.tolist() == [[0.5, 0.5], [0.0, 1.0]]


def test_gradients_without_conflict_stay() -> None:
    agreed = torch.tensor([[1.0, 0.5], [0.0, 0.0], [0.0, 2.0]])
    assert torch.equal(project_conflicts(agreed), agreed)


def test_pcgrad_projects_shared_parameters_only() -> None:
    found = gradients(PcgradBalance(TASKS, {}), Two((1.0, 0.0), (-1.0, 1.0)))
    assert found == pytest.approx([0.5, 1.5, 1.0, 1.0])
    agreed = gradients(PcgradBalance(TASKS, {"cart": 0.5}), Two((1.0, 0.0), (1.0, 2.0)))
    assert agreed == pytest.approx([1.5, 1.0, 1.0, 0.5])


def test_pcgrad_adds_a_penalty_as_it_is() -> None:
    two = Two((1.0, 0.0), (-1.0, 1.0))
    penalty = TaskLoss(two.shared @ torch.tensor([-9.0, 0.0]), torch.tensor(1.0))
    found = gradients(PcgradBalance(TASKS, {}), two, descending=penalty)
    assert found == pytest.approx([0.5 - 9.0, 1.5, 1.0, 1.0])


@pytest.mark.parametrize("name", BALANCES)
def test_all_give_the_loss(name: str) -> None:
    two = Two((1.0, 0.0), (-1.0, 1.0))
    with torch.no_grad():
        two.own["click"].fill_(4.0)
    losses = two.losses()
    balance = BALANCES[name](TASKS, {})
    found = balance.backward(losses, behind(losses), two.parameters(), ALONE)
    assert found.item() == pytest.approx(4.0) and not found.requires_grad


def test_pcgrad_in_several_processes_is_refused() -> None:
    settings = ["trainer.backend=distributor", "trainer.processes=2", "trainer.balance=pcgrad"]
    with pytest.raises(ConfError, match="pcgrad needs the gradients of every task and one process"):
        load_conf([SIMULATED], settings=settings)
