"""A fitted labeler as it labels: corrected to production's mix, its grades by cut points."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.labelers.base import Floats, Labeler, LabelerError, Pairs, Probabilities
from model.labelers.metrics import grades_by_cuts
from model.labelers.mix.prior_shift import corrected
from model.labelers.mix.sampling import Mix
from model.labelers.partial import Answers, predict_some
from model.labelers.store import load_labeler, read_description, save_labeler
from model.labelers.vectors import ReadsVectors

_ENTRY = "deployment"


@dataclass(frozen=True)
class Deployment:
    """What turns a labeler's answers into labels.

    Attributes:
        fitted_mix: shares of grade 0, 1, 2 among the pairs fitted on.
        production_mix: those of the pairs labelled; equal to `fitted_mix`: nothing is corrected.
        cuts: cut points of the expected grade; None: the most probable grade.
    """

    fitted_mix: Mix
    production_mix: Mix
    cuts: tuple[float, float] | None = None

    @property
    def corrects(self) -> bool:
        """Whether the answers are moved at all."""
        return self.fitted_mix != self.production_mix

    def version(self, labeler_version: str) -> str:
        """16 hex digits over the labeler's own version and all that changes its labels."""
        text = json.dumps({"labeler": labeler_version, **asdict(self)}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def apply(self, p: Probabilities) -> Probabilities:
        """The answers under production's mix."""
        return corrected(p, self.fitted_mix, self.production_mix) if self.corrects else p

    def grades(self, p: Probabilities) -> NDArray[np.int64]:
        """[N] grades of corrected answers."""
        return p.grades if self.cuts is None else grades_by_cuts(p.expected, self.cuts)


@dataclass(frozen=True)
class Deployed:
    """A labeler and its deployment."""

    labeler: Labeler
    deployment: Deployment

    @property
    def version(self) -> str:
        """Version of the labels that it makes."""
        return self.deployment.version(self.labeler.version)

    @property
    def prompt_hash(self) -> str | None:
        """Hash of the prompt; None where the labeler reads none."""
        return self.labeler.prompt_hash

    def predict(self, pairs: Pairs) -> Probabilities:
        """Corrected probabilities of the pairs, in their order."""
        return self.deployment.apply(self.labeler.predict(pairs))

    def predict_some(self, pairs: Pairs) -> Answers:
        """Corrected answers, or the reason why there is none, in their order."""
        answers = predict_some(self.labeler, pairs)
        there = answers.answered
        moved = self.deployment.apply(Probabilities(answers.p_ge_1[there], answers.p_ge_2[there]))
        first, second = answers.p_ge_1.copy(), answers.p_ge_2.copy()
        first[there], second[there] = moved.p_ge_1, moved.p_ge_2
        return Answers(first, second, answers.reasons, answers.suspected)


def matched_cuts(expected: Floats, weight: Floats, mix: Mix) -> tuple[float, float]:
    """Cut points of the expected grade that give weighted pairs this mix of grades.

    Each lies halfway between the last pair below it and the first above, so that a labeler whose
    answers differ a little, as one that is fitted again, does not turn the pairs at the border.

    Args:
        expected: [N] expected grades of the answers.
        weight: [N] what each pair stands for.
        mix: wanted shares of grade 0, 1, 2.

    Raises:
        LabelerError: no pairs.
    """
    if len(expected) == 0:
        raise LabelerError("no cut points from no pairs")
    order = np.argsort(expected, kind="stable")
    reached = np.cumsum(weight[order]) / float(weight.sum())
    at = np.searchsorted(reached, np.cumsum(mix)[:2] - 1e-9, side="left")
    below = expected[order][np.minimum(at, len(order) - 1)]
    known = np.unique(expected)
    above = known[np.minimum(np.searchsorted(known, below, side="right"), len(known) - 1)]
    low, high = (below + above) / 2
    return float(low), float(high)


def save_deployed(deployed: Deployed, folder: Path, extra: Mapping[str, Any]) -> None:
    """Write the labeler directory with the deployment in labeler.json."""
    labeler = deployed.labeler
    encoder = labeler.encoder_version if isinstance(labeler, ReadsVectors) else None
    found = {**asdict(deployed.deployment), "version": deployed.version, "encoder": encoder}
    save_labeler(labeler, folder, {_ENTRY: found, **extra})


def load_deployed(folder: Path | str) -> Deployed:
    """Read what `save_deployed` wrote.

    Raises:
        LabelerError: the directory is damaged, or its version is not that of its content.
    """
    entry = _entry(Path(folder))
    deployed = Deployed(load_labeler(folder), _deployment(entry, folder))
    if deployed.version != entry["version"]:
        raise LabelerError(
            f"{folder} says version {entry['version']}, its content makes {deployed.version}"
        )
    return deployed


def deployed_version(folder: Path) -> str:
    """The version in labeler.json, without loading the labeler."""
    return str(_entry(folder)["version"])


def deployed_encoder(folder: Path) -> str | None:
    """Version of the encoder whose vectors the labeler reads, without loading it; None: it reads
    none, or an earlier version of this code saved it."""
    found = _entry(folder).get("encoder")
    return None if found is None else str(found)


def _entry(folder: Path) -> dict[str, Any]:
    entry = read_description(folder).get(_ENTRY)
    if not isinstance(entry, dict) or "version" not in entry:
        raise LabelerError(f"{folder} was not made by finetune_labeler: no entry {_ENTRY!r}")
    return entry


def _deployment(entry: Mapping[str, Any], folder: Path | str) -> Deployment:
    try:
        fitted, production = (_three(entry[name]) for name in ("fitted_mix", "production_mix"))
        cuts = entry["cuts"]
        return Deployment(fitted, production, None if cuts is None else (cuts[0], cuts[1]))
    except (KeyError, TypeError, IndexError, ValueError) as error:
        raise LabelerError(f"{folder}: entry {_ENTRY!r} cannot be read: {error}") from error


def _three(values: Any) -> Mix:
    first, second, third = map(float, values)
    return first, second, third
