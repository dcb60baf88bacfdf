"""Runs the arms of one data set: search on validation, trainings of all seeds, test at the end."""

from collections.abc import Sequence

from conf.errors import UserError
from jobs.experiments.progress import Clock
from jobs.experiments.study import Arm, Study
from jobs.experiments.workers import Workers
from model.experiments.training import Training


def run_study(study: Study, workers: Workers, clock: Clock) -> list[Arm]:
    """Search, train and touch the test split once, after the last training; every arm, in order.

    Raises:
        UserError: the conf of an arm cannot be used.
    """
    conf = study.experiment.conf
    arms = [Arm(name) for name in conf.arms]
    _search_trials(study, arms, workers, clock)
    _train_seeds(study, arms, workers, clock)
    finished = [t for arm in arms if arm.failure is None for t in arm.trainings.values()]
    workers.touch_all(finished)
    return arms


def _search_trials(study: Study, arms: Sequence[Arm], workers: Workers, clock: Clock) -> None:
    conf = study.experiment.conf
    if len(study.trials) == 1:
        for arm in arms:
            arm.chosen = study.trials[0]
        return
    searched: dict[str, list[Training]] = {}
    networks = [arm for arm in arms if conf.arms[arm.name].network]
    for arm in networks:
        searched[arm.name] = _plan_trainings(
            study, arm, range(len(study.trials)), [conf.search.seed]
        )
    workers.run_all([t for ts in searched.values() for t in ts], clock.record_end)
    for arm in networks:
        if arm.failure is None:
            study.choose_trial(arm, searched[arm.name])


def _train_seeds(study: Study, arms: Sequence[Arm], workers: Workers, clock: Clock) -> None:
    for arm in arms:
        if arm.failure is None:
            planned = _plan_trainings(study, arm, [arm.trial], study.seeds)
            arm.trainings = dict(zip(study.seeds, planned, strict=False))
    # By seed first: a run that is cut off has some seeds of every arm, not every seed of some.
    ordered = [arm.trainings[s] for s in study.seeds for arm in arms if s in arm.trainings]
    workers.run_all(ordered, clock.record_end)
    for arm in arms:
        for seed, training in arm.trainings.items():
            if arm.failure is None and not training.finished:
                reason = training.state.get("reason", "its process died")
                arm.failure = f"seed {seed}: {reason}"


def _plan_trainings(
    study: Study, arm: Arm, trials: Sequence[int], seeds: Sequence[int]
) -> list[Training]:
    """Build the trainings of an arm; where its model cannot be built there are none, and the arm is
    out."""
    try:
        return [study.build_training(arm.name, trial, seed) for trial in trials for seed in seeds]
    except UserError as error:  # its conf itself was checked before
        arm.failure = str(error)
        return []
