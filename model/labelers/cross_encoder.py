"""The labeler `cross_encoder`: an encoder reads query and item together, with an ordinal head.

Boosted trees on the overlap features of `lexical`, and on what people said of near queries and
items, share in the probabilities, with a weight that validation pairs choose. By conf the overlap
features join the pooled text in the head, too. Files: those of
`cross_state`, and cross_encoder.json with conf and seed.
"""

import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from conf.schema import Conf
from conf.sections.features import EncoderConf
from conf.sections.labelers import CrossEncoderConf, LexicalConf
from model.encoder import resolve_dtype
from model.labelers.base import FitReport, LabelerError, Pairs, Probabilities, Targets
from model.labelers.boosting import Boosters, Matrix, fit_boosters
from model.labelers.cross_state import (
    CrossState,
    ShareChoice,
    load_state,
    network_features,
    read_json,
    ready,
    save_state,
    tree_features,
)
from model.labelers.cross_training import Training, device, fine_tune, seeded
from model.labelers.encoder_base import EncoderBase, find_encoder_base, read_tokenizer, read_trunk
from model.labelers.fitting import check_fit, data_digest, version_of
from model.labelers.graded import FEATURES as GRADED_FEATURES
from model.labelers.graded import VERSION as GRADED_VERSION
from model.labelers.graded import Graded
from model.labelers.lexical_inputs import LexicalInputs
from model.labelers.pair_data import PairData
from model.labelers.pair_encoder import PairEncoder
from model.labelers.pair_tokens import PairTokenizer

SETTINGS = "cross_encoder.json"
_SPEED = {"path", "threads", "predict_batch_size"}
"""Conf that says where the base model is and how fast it runs: no part of a version."""
History = list[dict[str, float]]


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

        Raises:
            LabelerError: no pairs, lengths differ, a grade is absent, or the base model cannot be
                used.
            EncoderError: the installed encoder is absent or not the expected one.
        """
        check_fit(pairs, targets, validation)
        started = time.monotonic()
        base = find_encoder_base(self._conf, self._encoder)
        inputs = LexicalInputs.fit(pairs, self._encoder if self._conf.cosine else None)
        features, judged = inputs.matrix(pairs), inputs.matrix(validation[0])
        tokenizer = PairTokenizer(read_tokenizer(base.folder), self._conf.max_tokens)
        train = self._data(pairs, features, targets, tokenizer)
        watched = self._data(validation[0], judged, validation[1], tokenizer)
        boosters, graded = self._grow(pairs, features, targets, (*validation, judged), inputs)
        choice = self._choice(boosters, graded, validation, judged, inputs)
        network, history = self._tune(base, train, watched, tokenizer, choice)
        origin = {
            "base_sha256": base.sha256,
            "data": [data_digest(pairs, targets), data_digest(*validation)],
        }
        dtype = resolve_dtype(self._conf.dtype)
        state = CrossState(
            *(inputs, tokenizer, ready(network, dtype), boosters, 0.0, dtype, origin, graded)
        )
        losses = choice.losses(state.read(validation[0], judged, self._conf))
        self._state = replace(state, tree_share=min(losses, key=lambda share: losses[share]))
        details = {
            "epochs": history,
            "tree_share": self._state.tree_share,
            "validation_loss": {str(share): loss for share, loss in losses.items()},
            "graded_pairs": graded is not None,
            "device": device(),
        }
        return FitReport(len(pairs), time.monotonic() - started, details)

    def predict(self, pairs: Pairs) -> Probabilities:
        """Probabilities of the pairs, in their order.

        Raises:
            LabelerError: the labeler is not fitted.
        """
        return self._fitted().predict(pairs, self._conf)

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

    def _grow(
        self,
        pairs: Pairs,
        features: Matrix,
        targets: Targets,
        validation: tuple[Pairs, Targets, Matrix],
        inputs: LexicalInputs,
    ) -> tuple[Boosters | None, Graded | None]:
        """The trees, and what they see of the graded pairs; nothing where that is no help."""
        if max(self._conf.tree_shares) == 0:
            return None, None
        watched, known, judged = validation
        settings, names = (self._trees, self._seed), inputs.names
        plain = fit_boosters(features, targets, (judged, known), *settings, names)
        if not self._conf.neighbours:
            return plain, None
        graded, own = Graded.learn(pairs, targets, features, inputs)
        features = np.column_stack([features, own])
        judged = np.column_stack([judged, graded.features(watched, inputs)])
        names = (*names, *GRADED_FEATURES)
        wide = fit_boosters(features, targets, (judged, known), *settings, names)
        return (wide, graded) if wide.loss < plain.loss else (plain, None)

    def _data(
        self, pairs: Pairs, features: Matrix, targets: Targets, tokenizer: PairTokenizer
    ) -> PairData:
        seen = network_features(features, self._conf)
        return PairData.of(tokenizer.tokens(pairs), seen, targets)

    def _choice(
        self,
        boosters: Boosters | None,
        graded: Graded | None,
        validation: tuple[Pairs, Targets],
        judged: Matrix,
        inputs: LexicalInputs,
    ) -> ShareChoice:
        """What an epoch of the network is judged by: the mixture that it would end in."""
        pairs, targets = validation
        if boosters is None:
            return ShareChoice(None, targets, (0.0,))
        seen = tree_features(graded, pairs, judged, inputs)
        return ShareChoice(boosters.predict(seen), targets, self._conf.tree_shares)

    def _tune(
        self,
        base: EncoderBase,
        train: PairData,
        judged: PairData,
        tokenizer: PairTokenizer,
        choice: ShareChoice,
    ) -> tuple[PairEncoder, History]:
        """The network of the chosen epoch, and the losses of all."""
        with seeded(self._seed):
            trunk = read_trunk(base, self._conf.max_tokens, self._conf.dropout)
            network = PairEncoder(trunk, train.features.shape[1], self._conf)
        dtype = resolve_dtype(self._conf.dtype)
        run = Training(self._conf, tokenizer, dtype == "bfloat16", device(), self._seed)
        return network, fine_tune(network, train, judged, run, choice.pair_losses)

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
