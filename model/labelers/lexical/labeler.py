"""The labeler `lexical`: gradient boosting on overlap features and the encoder's cosine.

The baseline beside every other labeler, and a quick one. Files: lexical.json (conf, seed, version),
inputs.json (token frequencies, encoder), trees.json (LightGBM's text of all boosters).
"""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from conf.schema import Conf
from conf.sections.features import EncoderConf
from conf.sections.labelers.lexical import LexicalConf
from model.labelers.base import FitReport, LabelerError, Pairs, Probabilities, Targets
from model.labelers.fitting import check_fit, data_digest, version_of
from model.labelers.lexical.boosting import BagFit, Boosters, refit_boosters
from model.labelers.lexical.inputs import LexicalInputs
from model.labelers.vectors import Vector

SETTINGS, INPUTS, TREES = "lexical.json", "inputs.json", "trees.json"


class LexicalLabeler:
    """Gradient boosting on overlap features."""

    kind = "lexical"

    def __init__(self, conf: LexicalConf, encoder: EncoderConf, seed: int) -> None:
        """Nothing is read before `fit` or `load`; `encoder` is used where `conf.cosine` is true."""
        self._conf, self._encoder, self._seed = conf, encoder, seed
        self._inputs: LexicalInputs | None = None
        self._boosters: Boosters | None = None
        self._data: list[str] = []

    @property
    def prompt_hash(self) -> None:
        """None: no prompt is read."""
        return None

    @property
    def version(self) -> str:
        """Hash of encoder, features, data and conf.

        Raises:
            LabelerError: the labeler is not fitted.
        """
        inputs, _ = self._fitted()
        parts = {
            "kind": self.kind,
            "inputs": inputs.version,
            "data": self._data,
            "conf": self._conf.model_dump(mode="json", exclude={"threads"}),
            "seed": self._seed,
        }
        return version_of(parts)

    def fit(self, pairs: Pairs, targets: Targets, validation: tuple[Pairs, Targets]) -> FitReport:
        """Count tokens and grow trees; `validation` chooses their number and size.

        By conf both are then done again on all pairs.

        Raises:
            LabelerError: no pairs, lengths differ, or a grade is absent.
            EncoderError: the encoder is absent or not the expected one.
        """
        check_fit(pairs, targets, validation)
        started = time.monotonic()
        encoder = self._encoder if self._conf.cosine else None
        inputs = LexicalInputs.fit(pairs, encoder)
        judged = (inputs.matrix(validation[0]), validation[1])
        boosters = BagFit(
            inputs.matrix(pairs), targets, judged, self._conf, self._seed, inputs.names
        ).whole()
        answers = None
        self._data = [data_digest(pairs, targets), data_digest(*validation)]
        if self._conf.refit:
            answers = boosters.predict(judged[0])
            pairs, targets = pairs.followed_by(validation[0]), targets.followed_by(validation[1])
            inputs = LexicalInputs.fit(pairs, encoder)
            boosters = refit_boosters(
                *(boosters, inputs.matrix(pairs), targets, self._conf, self._seed, inputs.names)
            )
        self._inputs, self._boosters = inputs, boosters
        seconds = time.monotonic() - started
        return FitReport(len(pairs), seconds, _details(inputs, boosters), answers)

    def predict(self, pairs: Pairs) -> Probabilities:
        """Probabilities of the pairs, in their order.

        Raises:
            LabelerError: the labeler is not fitted.
        """
        inputs, boosters = self._fitted()
        return boosters.predict(inputs.matrix(pairs))

    @property
    def encoder_version(self) -> str | None:
        """Version of the encoder of the cosine; None: it reads no cosine.

        Raises:
            LabelerError: the labeler is not fitted.
        """
        return self._fitted()[0].encoder_version

    def remember(self, vectors: Mapping[str, Vector]) -> None:
        """Take unit vectors [D] of that encoder by text.

        Raises:
            LabelerError: the labeler is not fitted, or reads no vectors.
        """
        self._fitted()[0].remember(vectors)

    def save(self, folder: Path) -> None:
        """Write the three JSON files."""
        inputs, boosters = self._fitted()
        settings = {
            "conf": self._conf.model_dump(mode="json"),
            "encoder": self._encoder.model_dump(mode="json"),
            "seed": self._seed,
            "data": self._data,
        }
        content = {SETTINGS: settings, INPUTS: inputs.as_json(), TREES: boosters.as_json()}
        for name, entries in content.items():
            (folder / name).write_text(json.dumps(entries) + "\n", encoding="utf-8")

    def restore(self, inputs: LexicalInputs, boosters: Boosters, data: list[str]) -> None:
        """Take a fitted state."""
        self._inputs, self._boosters, self._data = inputs, boosters, data

    def _fitted(self) -> tuple[LexicalInputs, Boosters]:
        if self._inputs is None or self._boosters is None:
            raise LabelerError("the labeler is not fitted")
        return self._inputs, self._boosters


def build(conf: Conf) -> LexicalLabeler:
    """An unfitted labeler of a configuration."""
    return LexicalLabeler(conf.labeler.lexical, conf.encoder, conf.seed)


def load(folder: Path) -> LexicalLabeler:
    """The labeler that `save` wrote.

    Raises:
        LabelerError: a file cannot be read, or the encoder is not that of the fit.
    """
    settings, inputs, trees = (_read(folder / name) for name in (SETTINGS, INPUTS, TREES))
    labeler = LexicalLabeler(
        LexicalConf(**settings["conf"]), EncoderConf(**settings["encoder"]), settings["seed"]
    )
    labeler.restore(
        LexicalInputs.from_json(inputs), Boosters.from_json(trees), list(settings["data"])
    )
    return labeler


def _details(inputs: LexicalInputs, boosters: Boosters) -> dict[str, Any]:
    grown = (*boosters.ge_1, *boosters.ge_2)
    gain = np.sum([booster.feature_importance("gain") for booster in grown], axis=0)
    ordered = sorted(zip(inputs.names, gain, strict=True), key=lambda entry: -entry[1])
    return {
        "leaves": boosters.leaves,
        "rounds": [booster.num_trees() for booster in grown],
        "validation_loss": boosters.losses,
        "gain": {name: round(float(value), 1) for name, value in ordered[:10]},
    }


def _read(path: Path) -> dict[str, Any]:
    try:
        entries: dict[str, Any] = json.loads(path.read_bytes())
    except (OSError, json.JSONDecodeError) as error:
        raise LabelerError(f"labeler file {path} cannot be read: {error}") from error
    return entries
