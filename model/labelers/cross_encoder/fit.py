"""How a cross-encoder is fitted: once to choose on validation pairs, then, by conf, on all."""

from dataclasses import dataclass, replace

import numpy as np

from conf.sections.features import EncoderConf
from conf.sections.labelers import CrossEncoderConf, LexicalConf
from model.labelers.base import Pairs, Probabilities, Targets
from model.labelers.cross_encoder.encoder_base import EncoderBase, read_tokenizer, read_trunk
from model.labelers.cross_encoder.graded import FEATURES as GRADED_FEATURES
from model.labelers.cross_encoder.graded import Graded
from model.labelers.cross_encoder.pair_data import PairData
from model.labelers.cross_encoder.pair_encoder import PairEncoder
from model.labelers.cross_encoder.pair_tokens import PairTokenizer
from model.labelers.cross_encoder.state import (
    CrossState,
    ShareChoice,
    network_features,
    ready,
    tree_features,
)
from model.labelers.cross_encoder.training import (
    Training,
    Tuned,
    device,
    fine_tune,
    seeded,
    tune_again,
)
from model.labelers.fitting import data_digest
from model.labelers.lexical.boosting import BagFit, Boosters, Matrix, refit_boosters
from model.labelers.lexical.inputs import LexicalInputs
from model.text.encoder import resolve_dtype


@dataclass(frozen=True)
class Chosen:
    """What was fitted without the validation pairs, and what they chose.

    Attributes:
        state: with the trees and their share.
        tuned: with the epoch.
        losses: validation loss (nats) by share.
        answers: for the validation pairs.
    """

    state: CrossState
    tuned: Tuned
    losses: dict[float, float]
    answers: Probabilities


@dataclass(frozen=True)
class CrossFit:
    """Settings and base model of a fit."""

    conf: CrossEncoderConf
    trees: LexicalConf
    encoder: EncoderConf
    seed: int
    base: EncoderBase

    def choose(self, pairs: Pairs, targets: Targets, validation: tuple[Pairs, Targets]) -> Chosen:
        """Fit on `pairs`; `validation` chooses the epoch, the trees and their share.

        Raises:
            LabelerError: the base model cannot be used.
            EncoderError: the encoder of the cosine is absent or not the expected one.
        """
        inputs = LexicalInputs.fit(pairs, self.encoder if self.conf.cosine else None)
        features, judged = inputs.matrix(pairs), inputs.matrix(validation[0])
        tokenizer = PairTokenizer(
            read_tokenizer(self.base.folder), self.conf.max_tokens, self.conf.marks
        )
        train = self._data(pairs, features, targets, tokenizer)
        watched = self._data(validation[0], judged, validation[1], tokenizer)
        boosters, graded = self._grow(pairs, features, targets, (*validation, judged), inputs)
        choice = self._shares(boosters, graded, validation, judged, inputs)
        network, run = self._start(train, tokenizer)
        tuned = fine_tune(network, train, watched, run, choice.pair_losses)
        dtype = resolve_dtype(self.conf.dtype)
        digests = [data_digest(pairs, targets), data_digest(*validation)]
        origin = {
            "base_sha256": self.base.sha256,
            "layers": self.base.layers,
            "data": digests,
        }
        state = CrossState(
            *(inputs, tokenizer, ready(network, dtype), boosters, 0.0, dtype, origin, graded)
        )
        read = state.read(validation[0], judged, self.conf)
        losses = choice.losses(read)
        share = min(losses, key=lambda share: losses[share])
        return Chosen(replace(state, tree_share=share), tuned, losses, choice.answers(read, share))

    def again(
        self, pairs: Pairs, targets: Targets, chosen: Chosen
    ) -> tuple[CrossState, list[float]]:
        """Learn again what the conf says, without a choice.

        Returns:
            What is fitted, and the network's training losses (nats) by epoch; none where it stays.
        """
        before = chosen.state
        inputs = LexicalInputs.fit(pairs, before.inputs.encoder_conf)
        features = inputs.matrix(pairs)
        boosters, graded = self._grow_again(pairs, features, targets, before, inputs)
        state = replace(before, inputs=inputs, boosters=boosters, graded=graded)
        if self.conf.refit != "all" or before.tree_share == 1:
            return state, []
        train = self._data(pairs, features, targets, before.tokenizer)
        network, run = self._start(train, before.tokenizer)
        losses = tune_again(network, train, run, chosen.tuned)
        return replace(state, network=ready(network, before.dtype)), losses

    def _grow_again(
        self,
        pairs: Pairs,
        features: Matrix,
        targets: Targets,
        before: CrossState,
        inputs: LexicalInputs,
    ) -> tuple[Boosters | None, Graded | None]:
        """The trees of the chosen size and number, and what they see of the graded pairs."""
        if before.boosters is None:
            return None, None
        graded, names = None, inputs.names
        if before.graded is not None:
            graded, own = Graded.learn(pairs, targets, features, inputs)
            features, names = np.column_stack([features, own]), (*names, *GRADED_FEATURES)
        settings = (self.trees, self.seed, names)
        return refit_boosters(before.boosters, features, targets, *settings), graded

    def _grow(
        self,
        pairs: Pairs,
        features: Matrix,
        targets: Targets,
        validation: tuple[Pairs, Targets, Matrix],
        inputs: LexicalInputs,
    ) -> tuple[Boosters | None, Graded | None]:
        """The trees, and what they see of the graded pairs; nothing where that is no help."""
        if max(self.conf.tree_shares) == 0:
            return None, None
        watched, known, judged = validation
        settings = (self.trees, self.seed)
        plain = BagFit(features, targets, (judged, known), *settings, inputs.names)
        first = plain.first()
        if self.conf.neighbours:
            graded, own = Graded.learn(pairs, targets, features, inputs)
            features = np.column_stack([features, own])
            judged = np.column_stack([judged, graded.features(watched, inputs)])
            names = (*inputs.names, *GRADED_FEATURES)
            wide = BagFit(features, targets, (judged, known), *settings, names)
            wider = wide.first()
            if wider.loss < first.loss:
                return wide.filled(wider), graded
        return plain.filled(first), None

    def _data(
        self, pairs: Pairs, features: Matrix, targets: Targets, tokenizer: PairTokenizer
    ) -> PairData:
        seen = network_features(features, self.conf)
        return PairData.of(tokenizer.tokens(pairs), seen, targets)

    def _shares(
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
        return ShareChoice(boosters.predict(seen), targets, self.conf.tree_shares)

    def _start(self, train: PairData, tokenizer: PairTokenizer) -> tuple[PairEncoder, Training]:
        """A network that has learnt nothing, and how it is trained."""
        with seeded(self.seed):
            trunk = read_trunk(self.base, self.conf.max_tokens, self.conf.dropout)
            network = PairEncoder(trunk, train.features.shape[1], self.conf)
        bfloat16 = resolve_dtype(self.conf.dtype) == "bfloat16"
        return network, Training(self.conf, tokenizer, bfloat16, device(), self.seed)
