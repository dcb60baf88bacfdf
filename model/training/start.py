"""Begins a training with the weights of a saved model."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from conf.errors import UserError
from conf.sections.model import ModelConf
from model.ranker import Ranker
from model.serving.artifact import load_network
from model.spec import describe_difference
from model.standardise import Standardisation


class StartError(UserError, ValueError):
    """A training cannot begin with the weights of a saved model; the message says why."""


def load_start(ranker: Ranker, scale: Standardisation, conf: ModelConf, folder: Path) -> None:
    """Load the weights of a saved model into a fresh ranker.

    Weights mean the same only under the same features, regions, architecture and standardisation,
    so all of them must be equal.

    Args:
        ranker: of the training that begins.
        scale: its standardisation.
        conf: its architecture.
        folder: directory of the saved model.

    Raises:
        ModelError: the model cannot be read.
        StartError: one of them differs; the first key that does is named.
    """
    start, of_start, conf_of_start = load_network(folder)
    spec, start_spec = ranker.spec.to_json(), start.spec.to_json()
    reason = (
        describe_difference(ranker.spec.names, start.spec.names)
        or _compare("", start_spec, spec)
        or _compare("model.", conf_of_start.model_dump(), conf.model_dump())
        or _compare("the standardisation's ", asdict(of_start), asdict(scale), shown=False)
    )
    if reason:
        raise StartError(f"a training cannot begin with model {folder}: {reason}")
    ranker.load_state_dict(start.state_dict())


def _compare(what: str, theirs: dict[str, Any], ours: dict[str, Any], shown: bool = True) -> str:
    """Name the first key whose values differ, with the values where they are to be `shown`; empty
    where none does."""
    for name in ours | theirs:
        if theirs.get(name) != ours.get(name):
            values = f": {theirs.get(name)} there, {ours.get(name)} in the training"
            return f"{what}{name} differs{values if shown else ''}"
    return ""
