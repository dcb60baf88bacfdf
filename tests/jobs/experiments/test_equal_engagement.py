"""Which arms are compared at equal engagement, and with what."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from jobs.experiments import equal_engagement
from jobs.experiments.equal_engagement import add_equal_engagement
from jobs.experiments.study import Arm, Study

REFERENCES = {
    "trees": "ours",
    "same_training": "ours",
    "other_weights": "ours",
    "fixed": "ours",
    "of_fixed": "fixed",
    "alone": "popularity",
}
"""`popularity` picks no weight, and `gone` failed."""


def make_study() -> Study:
    def build_ranking(arm: str) -> Any:
        if arm == "popularity":
            return None
        weights = "others" if arm == "other_weights" else "usual"
        tree = SimpleNamespace(engagement_loss=0.02)
        return SimpleNamespace(picks=arm != "fixed", weights=weights, tree=tree)

    made = SimpleNamespace(
        experiment=SimpleNamespace(conf=SimpleNamespace(references=REFERENCES | {"x": "gone"})),
        build_ranking=build_ranking,
        build_frontier=lambda ranking, training, split: (training.folder.name, split),
    )
    return cast(Study, made)


def make_arm(name: str, *folders: str) -> Arm:
    trainings = {s: SimpleNamespace(folder=Path(f)) for s, f in enumerate(folders, 1)}
    return Arm(name, trainings=cast(Any, trainings))


def test_arms_of_other_trainings_that_pick_by_the_same_weights(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        equal_engagement, "compare_at_equal_engagement", lambda *compared: [compared]
    )
    arms = [
        make_arm("ours", "a1", "a2"),
        make_arm("trees", "b1", "b2"),
        make_arm("same_training", "a1", "a2"),
        *(
            make_arm(name, "c1")
            for name in ("other_weights", "fixed", "of_fixed", "alone", "popularity", "x")
        ),
    ]
    figures: dict[str, dict[int, list[Any]]] = {
        arm.name: {seed: [] for seed in arm.trainings} for arm in arms
    }
    add_equal_engagement(make_study(), arms, figures, "test")
    assert figures.pop("trees") == {
        1: [(("b1", "test"), ("a1", "test"), 0.02)],
        2: [(("b2", "test"), ("a2", "test"), 0.02)],
    }
    assert all(not added for by_seed in figures.values() for added in by_seed.values())
