"""Two boosters over one feature matrix: P(grade >= 1) and P(grade >= 2)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import lightgbm
import numpy as np
from numpy.typing import NDArray

from conf.sections.labelers.lexical import LexicalConf
from model.labelers.base import LabelerError, Probabilities, Targets
from model.labelers.fitting import cross_entropy

Matrix = NDArray[np.float32]


@dataclass(frozen=True)
class Boosters:
    """A booster a threshold; P(>= 2) is cut off at P(>= 1).

    Attributes:
        leaves: leaves of a tree that validation chose (count).
        losses: validation loss (nats) by leaves tried, both thresholds added up.
    """

    ge_1: lightgbm.Booster
    ge_2: lightgbm.Booster
    leaves: int
    losses: dict[int, float]

    @property
    def loss(self) -> float:
        """Validation loss (nats) of the leaves that were chosen."""
        return self.losses[self.leaves]

    def predict(self, features: Matrix) -> Probabilities:
        """Probabilities of the rows [N, F]; one thread."""
        if len(features) == 0:
            return Probabilities(np.zeros(0), np.zeros(0))
        first, second = (
            np.asarray(booster.predict(features, num_threads=1), np.float64).clip(0, 1)
            for booster in (self.ge_1, self.ge_2)
        )
        return Probabilities(first, np.minimum(first, second))

    def as_json(self) -> dict[str, Any]:
        """What `from_json` reads: LightGBM's own text of the trees."""
        return {
            "ge_1": self.ge_1.model_to_string(),
            "ge_2": self.ge_2.model_to_string(),
            "leaves": self.leaves,
            "losses": {str(leaves): loss for leaves, loss in self.losses.items()},
        }

    @classmethod
    def from_json(cls, entries: dict[str, Any]) -> Self:
        """The boosters that `as_json` wrote.

        Raises:
            LabelerError: LightGBM cannot read the text of the trees.
        """
        try:
            first, second = (lightgbm.Booster(model_str=entries[k]) for k in ("ge_1", "ge_2"))
        except (lightgbm.basic.LightGBMError, KeyError) as error:
            raise LabelerError(f"the boosted trees cannot be read: {error}") from error
        losses = {int(leaves): float(loss) for leaves, loss in entries["losses"].items()}
        return cls(first, second, int(entries["leaves"]), losses)


def fit_boosters(
    features: Matrix,
    targets: Targets,
    validation: tuple[Matrix, Targets],
    conf: LexicalConf,
    seed: int,
    names: Sequence[str],
) -> Boosters:
    """Fit with cross-entropy against soft labels; validation chooses rounds and leaves."""
    tried = [
        _fit_leaves(leaves, features, targets, validation, conf, seed, names)
        for leaves in conf.leaves
    ]
    best = min(tried, key=lambda boosters: boosters.losses[boosters.leaves])
    return replace(best, losses={b.leaves: b.losses[b.leaves] for b in tried})


def _fit_leaves(
    leaves: int,
    features: Matrix,
    targets: Targets,
    validation: tuple[Matrix, Targets],
    conf: LexicalConf,
    seed: int,
    names: Sequence[str],
) -> Boosters:
    parameters = _parameters(conf, leaves, seed)
    judged, known = validation
    sides = ((targets.label_ge_1, known.label_ge_1), (targets.label_ge_2, known.label_ge_2))
    grown = []
    for label, truth in sides:
        train = lightgbm.Dataset(features, label, weight=targets.weight, feature_name=list(names))
        watched = lightgbm.Dataset(judged, truth, weight=known.weight, reference=train)
        booster = lightgbm.train(
            parameters,
            train,
            conf.rounds,
            valid_sets=[watched],
            callbacks=[lightgbm.early_stopping(conf.patience, verbose=False)],
        )
        grown.append(booster)
    boosters = Boosters(grown[0], grown[1], leaves, {})
    return replace(boosters, losses={leaves: cross_entropy(boosters.predict(judged), known)})


def _parameters(conf: LexicalConf, leaves: int, seed: int) -> dict[str, Any]:
    return {
        "objective": "cross_entropy",
        "learning_rate": conf.learning_rate,
        "num_leaves": leaves,
        "min_data_in_leaf": conf.min_leaf,
        "lambda_l2": conf.l2,
        "feature_fraction": conf.feature_fraction,
        "bagging_fraction": conf.pair_fraction,
        "bagging_freq": 1,
        "num_threads": conf.threads,
        "seed": seed,
        "deterministic": True,
        "force_row_wise": True,
        "verbose": -1,
    }
