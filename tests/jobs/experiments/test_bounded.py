"""Whose best engagement the figures of an arm are held to."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from jobs.experiments.bounded import add_bounded_figures
from jobs.experiments.study import Arm, Study

BEST = {("ours", 1): 0.8, ("ours", 2): 0.9, ("trees", 1): 0.7, ("trees", 2): 0.6, ("alone", 1): 0.5}
REFERENCES = {"trees": "ours", "alone": "popularity"}


class Bounded:
    """Notes the bound that it is held to in place of figures."""

    def __init__(self, best: float) -> None:
        self.best = best

    def find_best(self) -> float:
        return self.best

    def build_figures(self, least: float) -> list[Any]:
        return [round(least, 6)]


def make_study() -> Study:
    tree = SimpleNamespace(value=SimpleNamespace(engagement_loss=0.01))
    made = SimpleNamespace(
        experiment=SimpleNamespace(conf=SimpleNamespace(references=REFERENCES)),
        resolve_conf=lambda arm, more, seed: SimpleNamespace(tree=tree),
        build_bounded=lambda arm, training, split: (
            Bounded(BEST[arm, training]) if (arm, training) in BEST else None
        ),
    )
    return cast(Study, made)


@pytest.mark.parametrize(
    ("arm", "bounds"),
    [
        ("ours", {1: [0.792], 2: [0.891]}),
        ("trees", {1: [0.792], 2: [0.891]}),  # those of ours, seed by seed
        ("alone", {1: [0.495]}),  # its reference picks no weight
        ("popularity", {1: []}),
    ],
)
def test_an_arm_is_held_to_its_references_best(arm: str, bounds: dict[int, list[float]]) -> None:
    seeds = {"ours": (1, 2), "trees": (1, 2), "alone": (1,), "popularity": (1,)}
    arms = [Arm(name, trainings=cast(Any, {s: s for s in of})) for name, of in seeds.items()]
    figures: dict[str, dict[int, list[Any]]] = {n: {s: [] for s in of} for n, of in seeds.items()}
    add_bounded_figures(make_study(), arms, figures, "test")
    assert figures[arm] == bounds
