"""The search that every arm gets: the same points of a grid, compared on validation."""

from collections.abc import Mapping, Sequence
from itertools import product

import numpy as np

from conf.sections.experiment import Plain, SearchConf, Settings
from model.experiments.figures import ALL, Figure


def trials(conf: SearchConf) -> list[Settings]:
    """The settings of each trial; the first changes nothing, the others are drawn from the grid.

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


def score(figures: Sequence[Figure], choose: Sequence[str]) -> float:
    """Mean of the chosen validation figures over all regions; nan where one is missing.

    Raises:
        KeyError: a figure is not among them: the message lists those there are.
    """
    found: Mapping[str, float] = {f.metric: f.value for f in figures if f.region == ALL}
    missing = [name for name in choose if name not in found]
    if missing:
        raise KeyError(f"no figures {missing}; there are {sorted(found)}")
    return float(np.mean([found[name] for name in choose]))


def best(scores: Mapping[int, float]) -> int:
    """The trial of the highest score, the earliest of equals; nan is never chosen.

    Raises:
        ValueError: no trial has a score.
    """
    told = {trial: s for trial, s in scores.items() if np.isfinite(s)}
    if not told:
        raise ValueError("no trial has a score")
    return max(told, key=lambda trial: (told[trial], -trial))
