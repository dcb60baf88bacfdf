"""The labeler `lexical`: gradient boosting on overlap features and on what people graded nearby.

Quick to fit, on any CPU. Files: lexical.json (conf, seed, digests of the data), inputs.json (token
frequencies, encoder), trees.json (LightGBM's text of all boosters), graded.safetensors (see
`graded`) where the trees see graded pairs.
"""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from conf.schema import Conf
from conf.sections.features import EncoderConf
from conf.sections.labelers.lexical import LexicalConf
from conf.sections.language import LanguageConf
from model.files import read_json, write_json
from model.labelers.base import FitReport, LabelerError, Pairs, Probabilities, Targets
from model.labelers.fitting import check_fit, hash_data, hash_parts
from model.labelers.kinds import LEXICAL
from model.labelers.lexical.boosting import Boosters
from model.labelers.lexical.graded import VERSION as GRADED_VERSION
from model.labelers.lexical.graded import GradedPairs
from model.labelers.lexical.inputs import LexicalInputs
from model.labelers.lexical.trees import Trees
from model.labelers.vectors import Vector

SETTINGS, INPUTS, TREES = f"{LEXICAL}.json", "inputs.json", "trees.json"
GRADED = "graded.safetensors"


class LexicalLabeler:
    """Gradient boosting on overlap features and graded pairs."""

    kind = LEXICAL

    def __init__(
        self, conf: LexicalConf, encoder: EncoderConf, language: LanguageConf, seed: int
    ) -> None:
        """Nothing is read before `fit` or `load`; `encoder` is used where `conf.cosine` is true."""
        self._conf, self._encoder, self._language, self._seed = conf, encoder, language, seed
        self._trees: Trees | None = None
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
        trees = self._require_fitted()
        parts = {
            "kind": self.kind,
            "inputs": trees.inputs.version,
            "graded": GRADED_VERSION if trees.graded is not None else None,
            "data": self._data,
            "conf": self._conf.model_dump(mode="json", exclude={"threads"}),
            "seed": self._seed,
        }
        return hash_parts(parts)

    def fit(self, pairs: Pairs, targets: Targets, validation: tuple[Pairs, Targets]) -> FitReport:
        """Count tokens and grow trees; `validation` chooses their number, size and inputs.

        By conf the trees are then grown again on all pairs.

        Raises:
            LabelerError: no pairs, lengths differ, or a grade is absent.
            EncoderError: the encoder is absent or not the expected one.
        """
        check_fit(pairs, targets, validation)
        started = time.monotonic()
        encoder = self._encoder if self._conf.cosine else None
        inputs = LexicalInputs.fit(pairs, encoder, self._language)
        trees = Trees.grow(inputs, pairs, targets, validation, self._conf, self._seed)
        self._trees, answers = trees, None
        self._data = [hash_data(pairs, targets), hash_data(*validation)]
        if self._conf.refit:
            answers = trees.predict(validation[0])
            pairs, targets = pairs.followed_by(validation[0]), targets.followed_by(validation[1])
            self._trees = trees.regrow(pairs, targets, self._conf, self._seed)
        seconds = time.monotonic() - started
        return FitReport(len(pairs), seconds, _build_details(self._trees), answers)

    def predict(self, pairs: Pairs) -> Probabilities:
        """Predict the probabilities of the pairs, in their order.

        Raises:
            LabelerError: the labeler is not fitted.
        """
        return self._require_fitted().predict(pairs)

    @property
    def encoder_version(self) -> str | None:
        """Version of the encoder of the cosine; None: it reads no cosine.

        Raises:
            LabelerError: the labeler is not fitted.
        """
        return self._require_fitted().inputs.encoder_version

    def add_vectors(self, vectors: Mapping[str, Vector]) -> None:
        """Take unit vectors [D] of that encoder by text.

        Raises:
            LabelerError: the labeler is not fitted, or reads no vectors.
        """
        self._require_fitted().inputs.add_vectors(vectors)

    def save(self, folder: Path) -> None:
        """Write the files."""
        trees = self._require_fitted()
        settings = {
            "conf": self._conf.model_dump(mode="json"),
            "encoder": self._encoder.model_dump(mode="json"),
            "seed": self._seed,
            "data": self._data,
        }
        write_json(folder / SETTINGS, settings)
        write_json(folder / INPUTS, trees.inputs.as_json())
        write_json(folder / TREES, trees.boosters.as_json())
        if trees.graded is not None:
            trees.graded.save(folder / GRADED)

    def restore(self, trees: Trees, data: list[str]) -> None:
        """Take a fitted state."""
        self._trees, self._data = trees, data

    def _require_fitted(self) -> Trees:
        if self._trees is None:
            raise LabelerError("the labeler is not fitted")
        return self._trees


def build(conf: Conf) -> LexicalLabeler:
    """Build an unfitted labeler of a configuration."""
    return LexicalLabeler(conf.labeler.lexical, conf.encoder, conf.language, conf.seed)


def load(folder: Path) -> LexicalLabeler:
    """Load the labeler that `save` wrote.

    Raises:
        LabelerError: a file cannot be read, or the encoder is not that of the fit.
    """
    settings = read_json(folder / SETTINGS, LabelerError)
    inputs = LexicalInputs.from_json(read_json(folder / INPUTS, LabelerError))
    labeler = LexicalLabeler(
        LexicalConf(**settings["conf"]),
        EncoderConf(**settings["encoder"]),
        inputs.language,
        settings["seed"],
    )
    trees = Trees(
        inputs,
        Boosters.from_json(read_json(folder / TREES, LabelerError)),
        GradedPairs.load(folder / GRADED) if (folder / GRADED).is_file() else None,
    )
    labeler.restore(trees, list(settings["data"]))
    return labeler


def _build_details(trees: Trees) -> dict[str, Any]:
    grown = (*trees.boosters.ge_1, *trees.boosters.ge_2)
    gain = np.sum([booster.feature_importance("gain") for booster in grown], axis=0)
    ordered = sorted(zip(trees.names, gain, strict=True), key=lambda entry: -entry[1])
    return {
        "leaves": trees.boosters.leaves,
        "rounds": [booster.num_trees() for booster in grown],
        "validation_loss": trees.boosters.losses,
        "graded_pairs": trees.graded is not None,
        "gain": {name: round(float(value), 1) for name, value in ordered[:10]},
    }
