"""Baselines: the rankers that a team would take instead of ours, on the same rows and features."""

from model.baselines.arms import BaselineError, Baselines, load_baselines, save_baselines
from model.baselines.fit import BOOSTED, fit_baselines
from model.baselines.rows import SplitMatrix, read_split

__all__ = [
    "BOOSTED",
    "BaselineError",
    "Baselines",
    "SplitMatrix",
    "fit_baselines",
    "load_baselines",
    "read_split",
    "save_baselines",
]
