"""The search that every arm gets: the same points of a grid, compared on validation."""

from collections.abc import Mapping, Sequence
from itertools import product

import numpy as np

from conf.sections.experiment import Plain, SearchConf, Settings
from model.evaluation.block_sums import ALL
from model.experiments.figures import Figure


def draw_trials(conf: SearchConf) -> list[Settings]:
    """Draw the settings of each trial from the grid; those of the first change nothing.

    The draw is a function of conf alone, so that every arm tries the same points.
    """
    values: list[list[Plain]] = [list(tried) for tried in conf.grid.values()]
    points: list[Settings] = [
        dict(zip(conf.grid, point, strict=True)) for point in product(*values)
    ]
    if not conf.grid:
        return [{}]
    order = np.random.default_rng(conf.seed).permutation(len(points))
    return [{}, *(points[i] for i in order[: conf.trials - 1])]


def score_trial(figures: Sequence[Figure], choose: Sequence[str]) -> float:
    """Average the chosen validation figures over all regions; nan where one is missing.

    Raises:
        KeyError: a figure is not among them: the message lists those there are.
    """
    values: Mapping[str, float] = {f.metric: f.value for f in figures if f.region == ALL}
    missing = [name for name in choose if name not in values]
    if missing:
        raise KeyError(f"no figures {missing}; there are {sorted(values)}")
    return float(np.mean([values[name] for name in choose]))


def choose_trial(scores: Mapping[int, float]) -> int:
    """Choose the trial of the highest score, the earliest of equals; nan is never chosen.

    Raises:
        ValueError: no trial has a score.
    """
    finite = {trial: s for trial, s in scores.items() if np.isfinite(s)}
    if not finite:
        raise ValueError("no trial has a score")
    return max(finite, key=lambda trial: (finite[trial], -trial))
