"""Fitted trees and what turns texts into their inputs."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from conf.sections.labelers.lexical import LexicalConf
from model.labelers.base import Pairs, Probabilities, Targets
from model.labelers.lexical.boosting import BagFit, Boosters, Matrix, refit_boosters
from model.labelers.lexical.graded import FEATURES as GRADED_FEATURES
from model.labelers.lexical.graded import GradedPairs
from model.labelers.lexical.inputs import LexicalInputs

_PART = 2_048
"""Pairs that are read together: the parsed texts of so many are remembered (count)."""


@dataclass(frozen=True)
class Trees:
    """A bag of boosters and its inputs.

    Attributes:
        graded: what the trees see of the training pairs beside a pair; None: nothing.
    """

    inputs: LexicalInputs
    boosters: Boosters
    graded: GradedPairs | None

    @classmethod
    def grow(
        cls,
        inputs: LexicalInputs,
        pairs: Pairs,
        targets: Targets,
        validation: tuple[Pairs, Targets],
        conf: LexicalConf,
        seed: int,
    ) -> Self:
        """Fit on `pairs`; `validation` chooses rounds, leaves and whether graded pairs count."""
        features, judged = inputs.build_matrix(pairs), inputs.build_matrix(validation[0])
        plain = BagFit(features, targets, (judged, validation[1]), conf, seed, inputs.names)
        one = plain.fit_one()
        if conf.graded and inputs.spec is not None:
            graded, columns = GradedPairs.learn_pairs(pairs, targets, inputs)
            seen = np.column_stack([judged, graded.compute_features(validation[0], inputs)])
            wide = BagFit(
                np.column_stack([features, columns]),
                targets,
                (seen, validation[1]),
                conf,
                seed,
                (*inputs.names, *GRADED_FEATURES),
            )
            one_of_wide = wide.fit_one()
            if one_of_wide.loss < one.loss:
                return cls(inputs, wide.add_members(one_of_wide), graded)
        return cls(inputs, plain.add_members(one), None)

    def regrow(self, pairs: Pairs, targets: Targets, conf: LexicalConf, seed: int) -> "Trees":
        """Fit what was chosen once more, on other pairs, without a choice."""
        inputs = LexicalInputs.fit(pairs, self.inputs.encoder_conf, self.inputs.language)
        features, graded = inputs.build_matrix(pairs), None
        if self.graded is not None:
            graded, columns = GradedPairs.learn_pairs(pairs, targets, inputs)
            features = np.column_stack([features, columns])
        boosters = refit_boosters(self.boosters, features, targets, conf, seed, self.names)
        return Trees(inputs, boosters, graded)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns that the trees see, in their order."""
        return self.inputs.names if self.graded is None else (*self.inputs.names, *GRADED_FEATURES)

    def compute_features(self, pairs: Pairs) -> Matrix:
        """Compute what the trees see of pairs, [N, len(names)]."""
        features = self.inputs.build_matrix(pairs)
        if self.graded is None:
            return features
        return np.column_stack([features, self.graded.compute_features(pairs, self.inputs)])

    def predict(self, pairs: Pairs) -> Probabilities:
        """Predict the probabilities of the pairs, in their order."""
        parts = [
            self.boosters.predict(self.compute_features(pairs.select_rows(rows)))
            for rows in np.split(np.arange(len(pairs)), range(_PART, len(pairs), _PART))
        ]
        return Probabilities(
            np.concatenate([part.p_ge_1 for part in parts]),
            np.concatenate([part.p_ge_2 for part in parts]),
        )
