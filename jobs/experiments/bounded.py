"""Adds to an experiment's figures those that all picking arms have at the same engagement."""

from collections.abc import Mapping, Sequence

from jobs.experiments.study import Arm, Study
from model.experiments.figures import Figure


def add_bounded_figures(
    study: Study, arms: Sequence[Arm], figures: Mapping[str, dict[int, list[Figure]]], split: str
) -> None:
    """Add each picking arm's figures where its engagement is at least the reference's best, less
    the share that conf `value.engagement_loss` allows, seed by seed.

    An arm whose reference does not pick a weight is its own reference.
    """
    orders = {
        (arm.name, seed): order
        for arm in arms
        for seed, training in arm.trainings.items()
        if (order := study.build_bounded(arm.name, training, split)) is not None
    }
    references = study.experiment.conf.references
    for (name, seed), order in orders.items():
        reference = orders.get((references.get(name, name), seed), order)
        loss = study.resolve_conf(name, {}, 1).tree.value.engagement_loss
        figures[name][seed] += order.build_figures(reference.find_best() * (1.0 - loss))
