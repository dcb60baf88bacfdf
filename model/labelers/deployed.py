"""A fitted labeler as it labels: corrected to production's mix, its grades by cut points."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conf.sections.labelers.labeling import Mix
from model.arrays import Floats
from model.files import short_hash
from model.labelers.base import Labeler, LabelerError, Pairs, Probabilities
from model.labelers.metrics import cut_grades
from model.labelers.mix.prior_shift import correct_mix
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

    def compute_version(self, labeler_version: str) -> str:
        """Hash the labeler's own version and all that changes its labels (16 hex digits)."""
        content = {"labeler": labeler_version, **asdict(self)}
        return short_hash(json.dumps(content, sort_keys=True))

    def apply(self, p: Probabilities) -> Probabilities:
        """Move the answers to production's mix."""
        return correct_mix(p, self.fitted_mix, self.production_mix) if self.corrects else p

    def choose_grades(self, p: Probabilities) -> NDArray[np.int64]:
        """Choose the grades of corrected answers, [N]."""
        return p.grades if self.cuts is None else cut_grades(p.expected, self.cuts)


@dataclass(frozen=True)
class Deployed:
    """A labeler and its deployment."""

    labeler: Labeler
    deployment: Deployment

    @property
    def version(self) -> str:
        """Version of the labels that it makes."""
        return self.deployment.compute_version(self.labeler.version)

    @property
    def prompt_hash(self) -> str | None:
        """Hash of the prompt; None where the labeler reads none."""
        return self.labeler.prompt_hash

    def predict(self, pairs: Pairs) -> Probabilities:
        """Predict the corrected probabilities of the pairs, in their order."""
        return self.deployment.apply(self.labeler.predict(pairs))

    def predict_some(self, pairs: Pairs) -> Answers:
        """Give corrected answers, or the reason why there is none, in their order."""
        answers = predict_some(self.labeler, pairs)
        answered = answers.answered
        moved = self.deployment.apply(
            Probabilities(answers.p_ge_1[answered], answers.p_ge_2[answered])
        )
        ge_1, ge_2 = answers.p_ge_1.copy(), answers.p_ge_2.copy()
        ge_1[answered], ge_2[answered] = moved.p_ge_1, moved.p_ge_2
        return Answers(ge_1, ge_2, answers.reasons, answers.suspected)


def match_cuts(expected: Floats, weight: Floats, mix: Mix) -> tuple[float, float]:
    """Choose cut points of the expected grade that give weighted pairs this mix of grades.

    Each lies halfway between the last pair below it and the first above, so that a labeler whose
    answers differ a little, as after another fit, gives the pairs at the border the same grades.

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
    distinct = np.unique(expected)
    above = distinct[np.minimum(np.searchsorted(distinct, below, side="right"), len(distinct) - 1)]
    low, high = (below + above) / 2
    return float(low), float(high)


def save_deployed(deployed: Deployed, folder: Path, extra: Mapping[str, Any]) -> None:
    """Write the labeler directory with the deployment in labeler.json."""
    labeler = deployed.labeler
    encoder = labeler.encoder_version if isinstance(labeler, ReadsVectors) else None
    entry = {**asdict(deployed.deployment), "version": deployed.version, "encoder": encoder}
    save_labeler(labeler, folder, {_ENTRY: entry, **extra})


def load_deployed(folder: Path | str) -> Deployed:
    """Read what `save_deployed` wrote.

    Raises:
        LabelerError: the directory is damaged, or its version is not that of its content.
    """
    entry = _read_entry(Path(folder))
    deployed = Deployed(load_labeler(folder), _build_deployment(entry, folder))
    if deployed.version != entry["version"]:
        raise LabelerError(
            f"{folder} says version {entry['version']}, its content makes {deployed.version}"
        )
    return deployed


def read_deployed_version(folder: Path) -> str:
    """Read the version in labeler.json, without loading the labeler."""
    return str(_read_entry(folder)["version"])


def read_deployed_encoder(folder: Path) -> str | None:
    """Read the version of the encoder whose vectors the labeler reads, without loading it; None: it
    reads none, or an earlier version of this code saved it."""
    version = _read_entry(folder).get("encoder")
    return None if version is None else str(version)


def _read_entry(folder: Path) -> dict[str, Any]:
    entry = read_description(folder).get(_ENTRY)
    if not isinstance(entry, dict) or "version" not in entry:
        raise LabelerError(f"{folder} was not made by finetune_labeler: no entry {_ENTRY!r}")
    return entry


def _build_deployment(entry: Mapping[str, Any], folder: Path | str) -> Deployment:
    try:
        fitted, production = (_read_mix(entry[name]) for name in ("fitted_mix", "production_mix"))
        cuts = entry["cuts"]
        return Deployment(fitted, production, None if cuts is None else (cuts[0], cuts[1]))
    except (KeyError, TypeError, IndexError, ValueError) as error:
        raise LabelerError(f"{folder}: entry {_ENTRY!r} cannot be read: {error}") from error


def _read_mix(values: Any) -> Mix:
    grade_0, grade_1, grade_2 = map(float, values)
    return grade_0, grade_1, grade_2
