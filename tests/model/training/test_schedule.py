"""The length of a training and its step size, by hand."""

import pytest

from conf.sections.training import TrainerConf
from model.training.schedule import Schedule


@pytest.mark.parametrize(
    ("steps", "epochs"),
    [
        (100, 8),  # as conf says
        (10, 40),  # few rows: as many epochs as the least steps need
        (7, 58),  # rounded up: 57 epochs would be 399 steps
        (100_000, 2),  # many rows: no more epochs than the most steps allow
        (500_000, 1),  # never none
    ],
)
def test_epochs_fit_the_rows(steps: int, epochs: int) -> None:
    conf = TrainerConf(epochs=8, min_steps=400, max_steps=200_000)
    assert Schedule.from_conf(conf, steps).epochs == epochs


def test_the_cosine_falls_from_1_to_0() -> None:
    schedule = Schedule(epochs=2, steps=4, shape="cosine")
    assert schedule.compute_factor(1, 0) == 1.0
    assert schedule.compute_factor(2, 0) == pytest.approx(0.5)
    assert schedule.compute_factor(2, 2) == pytest.approx(0.5 * (1 - 2**-0.5))
    assert Schedule(2, 4, "constant").compute_factor(2, 3) == 1.0
