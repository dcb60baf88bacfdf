"""Adds what picking arms have over their references where both leave the same engagement."""

from collections.abc import Mapping, Sequence

from jobs.experiments.study import Arm, Study
from model.experiments.figures import Figure
from model.experiments.frontier import compare_at_equal_engagement


def add_equal_engagement(
    study: Study, arms: Sequence[Arm], figures: Mapping[str, dict[int, list[Figure]]], split: str
) -> None:
    """Add each arm's differences from its reference at equal engagement, seed by seed.

    Only where both pick a weight and weigh engagement alike, and were trained apart: arms of the
    same training, which differ in how they pick, reach the same.
    """
    by_name = {arm.name: arm for arm in arms}
    for name, reference in study.experiment.conf.references.items():
        if name not in by_name or reference not in by_name:
            continue
        arm, other = study.build_ranking(name), study.build_ranking(reference)
        if arm is None or other is None or not (arm.picks and other.picks):
            continue
        if arm.weights != other.weights:
            continue
        loss = arm.tree.engagement_loss
        for seed, training in by_name[name].trainings.items():
            theirs = by_name[reference].trainings.get(seed)
            if theirs is None or theirs.folder == training.folder:
                continue
            figures[name][seed] += compare_at_equal_engagement(
                study.build_frontier(arm, training, split),
                study.build_frontier(other, theirs, split),
                loss,
            )
