"""The labeler `cross_encoder`: an encoder reads query and item together, with an ordinal head.

Boosted trees on the overlap features of `lexical`, and on what people said of near queries and
items, share in the probabilities, with a weight that validation pairs choose. By conf the overlap
features join the pooled text in the head, too. Files: those of `cross_state`, and
cross_encoder.json with conf and seed.
"""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from conf.schema import Conf
from conf.sections.features import EncoderConf
from conf.sections.labelers import CrossEncoderConf, LexicalConf
from model.labelers.base import FitReport, LabelerError, Pairs, Probabilities, Targets
from model.labelers.cross_encoder.encoder_base import find_encoder_base
from model.labelers.cross_encoder.fit import CrossFit
from model.labelers.cross_encoder.graded import VERSION as GRADED_VERSION
from model.labelers.cross_encoder.state import CrossState, load_state, read_json, save_state
from model.labelers.cross_encoder.training import device
from model.labelers.fitting import check_fit, version_of
from model.labelers.vectors import Vector

SETTINGS = "cross_encoder.json"
_SPEED = {"path", "threads", "predict_batch_size"}
"""Conf that says where the base model is and how fast it runs: no part of a version."""


class CrossEncoderLabeler:
    """An encoder over query and item, the features, and trees."""

    kind = "cross_encoder"

    def __init__(
        self, conf: CrossEncoderConf, trees: LexicalConf, encoder: EncoderConf, seed: int
    ) -> None:
        """Nothing is read before `fit` or `load`.

        Args:
            trees: settings of the boosted trees.
            encoder: the default base model, and the encoder of the cosine.
        """
        self._conf, self._trees, self._encoder, self._seed = conf, trees, encoder, seed
        self._state: CrossState | None = None

    @property
    def prompt_hash(self) -> None:
        """None: no prompt is read."""
        return None

    @property
    def version(self) -> str:
        """Hash of base model, features, data and conf.

        Raises:
            LabelerError: the labeler is not fitted.
        """
        state = self._fitted()
        parts = {
            "kind": self.kind,
            "inputs": state.inputs.version,
            "origin": dict(state.origin),
            "conf": self._conf.model_dump(mode="json", exclude=_SPEED),
            "trees": self._trees.model_dump(mode="json", exclude={"threads"}),
            "dtype": state.dtype,
            "graded": GRADED_VERSION if state.graded is not None else None,
            "seed": self._seed,
        }
        return version_of(parts)

    def fit(self, pairs: Pairs, targets: Targets, validation: tuple[Pairs, Targets]) -> FitReport:
        """Fine-tune; `validation` chooses the epoch, the trees and their share.

        By conf the trees, or all but these choices, are then learnt again from all pairs.

        Raises:
            LabelerError: no pairs, lengths differ, a grade is absent, or the base model cannot be
                used.
            EncoderError: the installed encoder is absent or not the expected one.
        """
        check_fit(pairs, targets, validation)
        started = time.monotonic()
        base = find_encoder_base(self._conf, self._encoder)
        fit = CrossFit(self._conf, self._trees, self._encoder, self._seed, base)
        chosen = fit.choose(pairs, targets, validation)
        self._state = chosen.state
        details: dict[str, Any] = {
            "epochs": chosen.tuned.history,
            "tree_share": chosen.state.tree_share,
            "validation_loss": {str(share): loss for share, loss in chosen.losses.items()},
            "graded_pairs": chosen.state.graded is not None,
            "device": device(),
        }
        answers = None
        if self._conf.refit != "none":
            answers = chosen.answers
            pairs, targets = pairs.followed_by(validation[0]), targets.followed_by(validation[1])
            self._state, details["refit"] = fit.again(pairs, targets, chosen)
        return FitReport(len(pairs), time.monotonic() - started, details, answers)

    def predict(self, pairs: Pairs) -> Probabilities:
        """Probabilities of the pairs, in their order.

        Raises:
            LabelerError: the labeler is not fitted.
        """
        return self._fitted().predict(pairs, self._conf)

    @property
    def encoder_version(self) -> str | None:
        """Version of the encoder of the cosine; None: it reads no cosine.

        Raises:
            LabelerError: the labeler is not fitted.
        """
        return self._fitted().inputs.encoder_version

    def remember(self, vectors: Mapping[str, Vector]) -> None:
        """Take unit vectors [D] of that encoder by text.

        Raises:
            LabelerError: the labeler is not fitted, or reads no vectors.
        """
        self._fitted().inputs.remember(vectors)

    def save(self, folder: Path) -> None:
        """Write settings, features, trees, tokenizer and weights."""
        save_state(self._fitted(), folder)
        settings = {
            "conf": self._conf.model_dump(mode="json"),
            "trees": self._trees.model_dump(mode="json"),
            "encoder": self._encoder.model_dump(mode="json"),
            "seed": self._seed,
        }
        (folder / SETTINGS).write_text(json.dumps(settings, indent=1) + "\n", encoding="utf-8")

    def restore(self, state: CrossState) -> None:
        """Take a fitted state."""
        self._state = state

    def _fitted(self) -> CrossState:
        if self._state is None:
            raise LabelerError("the labeler is not fitted")
        return self._state


def build(conf: Conf) -> CrossEncoderLabeler:
    """An unfitted labeler of a configuration."""
    known = conf.labeler
    return CrossEncoderLabeler(known.cross_encoder, known.lexical, conf.encoder, conf.seed)


def load(folder: Path) -> CrossEncoderLabeler:
    """The labeler that `save` wrote.

    Raises:
        LabelerError: a file cannot be read, or the encoder of the cosine is not that of the fit.
    """
    settings = read_json(folder / SETTINGS)
    conf = CrossEncoderConf(**settings["conf"])
    labeler = CrossEncoderLabeler(
        conf,
        LexicalConf(**settings["trees"]),
        EncoderConf(**settings["encoder"]),
        settings["seed"],
    )
    labeler.restore(load_state(folder, conf))
    return labeler
