"""Begins a training with the weights of a saved model."""

from dataclasses import asdict
from pathlib import Path

from conf.errors import UserError
from model.ranker import Ranker
from model.serving.artifact import load_network
from model.spec import describe_difference
from model.standardise import Standardisation


class StartError(UserError, ValueError):
    """A training cannot begin with the weights of a saved model; the message says why."""


def load_start(ranker: Ranker, scale: Standardisation, folder: Path) -> None:
    """Load the weights of a saved model into a fresh ranker.

    Args:
        ranker: of the training that begins.
        scale: its standardisation: weights mean nothing under another one.
        folder: directory of the saved model.

    Raises:
        ModelError: the model cannot be read.
        StartError: its features, its parameters or its standardisation are not those of the
            training; the first parameter that differs is named.
    """
    start, of_start = load_network(folder)
    reason = describe_difference(ranker.spec.names, start.spec.names)
    reason = reason or _compare_parameters(ranker, start) or _compare_scales(scale, of_start)
    if reason:
        raise StartError(f"a training cannot begin with model {folder}: {reason}")
    ranker.load_state_dict(start.state_dict())


def _compare_parameters(ranker: Ranker, start: Ranker) -> str:
    """Name the first parameter of either that the other lacks or has in another shape; empty where
    none is."""
    ours, theirs = (
        {name: list(value.shape) for name, value in one.state_dict().items()}
        for one in (ranker, start)
    )
    for name in ours | theirs:
        if ours.get(name) != theirs.get(name):
            held, asked = (shapes.get(name, "missing") for shapes in (theirs, ours))
            return f"parameter {name} is {held} there, {asked} in the training"
    return ""


def _compare_scales(scale: Standardisation, of_start: Standardisation) -> str:
    """Name the statistics that differ; empty where none does."""
    ours, theirs = asdict(scale), asdict(of_start)
    differ = [name for name in ours if ours[name] != theirs[name]]
    return f"its inputs were standardised by another {', '.join(differ)}" if differ else ""
