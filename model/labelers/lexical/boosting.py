"""Boosted trees over one feature matrix: P(grade >= 1) and P(grade >= 2), each a bag of a few."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import lightgbm
import numpy as np
from numpy.typing import NDArray

from conf.sections.labelers.lexical import LexicalConf
from model.labelers.base import LabelerError, Probabilities, Targets
from model.labelers.fitting import compute_cross_entropy

Matrix = NDArray[np.float32]


@dataclass(frozen=True)
class Boosters:
    """Boosters of a threshold, whose mean counts; P(>= 2) is cut off at P(>= 1).

    Attributes:
        leaves: leaves of a tree that validation chose (count).
        losses: validation loss (nats) by leaves tried, both thresholds added up.
    """

    ge_1: tuple[lightgbm.Booster, ...]
    ge_2: tuple[lightgbm.Booster, ...]
    leaves: int
    losses: dict[int, float]

    @property
    def loss(self) -> float:
        """Validation loss (nats) of the leaves that were chosen."""
        return self.losses[self.leaves]

    def predict(self, features: Matrix) -> Probabilities:
        """Predict the probabilities of the rows [N, F]; one thread."""
        if len(features) == 0:
            return Probabilities(np.zeros(0), np.zeros(0))
        ge_1, ge_2 = (_average_boosters(boosters, features) for boosters in (self.ge_1, self.ge_2))
        return Probabilities(ge_1, np.minimum(ge_1, ge_2))

    def as_json(self) -> dict[str, Any]:
        """Give what `from_json` reads: LightGBM's own text of the trees."""
        return {
            "ge_1": [booster.model_to_string() for booster in self.ge_1],
            "ge_2": [booster.model_to_string() for booster in self.ge_2],
            "leaves": self.leaves,
            "losses": {str(leaves): loss for leaves, loss in self.losses.items()},
        }

    @classmethod
    def from_json(cls, entries: dict[str, Any]) -> Self:
        """Give the boosters that `as_json` wrote.

        Raises:
            LabelerError: LightGBM cannot read the text of the trees, or there is one booster a
                threshold, as an earlier version of this code saved them.
        """
        if isinstance(entries.get("ge_1"), str):
            raise LabelerError("another version of this code saved the boosted trees; fit anew")
        try:
            ge_1, ge_2 = (
                tuple(lightgbm.Booster(model_str=text) for text in entries[side])
                for side in ("ge_1", "ge_2")
            )
        except (lightgbm.basic.LightGBMError, KeyError) as error:
            raise LabelerError(f"the boosted trees cannot be read: {error}") from error
        losses = {int(leaves): float(loss) for leaves, loss in entries["losses"].items()}
        return cls(ge_1, ge_2, int(entries["leaves"]), losses)


@dataclass(frozen=True)
class BagFit:
    """A bag of boosters on N pairs, by cross-entropy against soft labels.

    Attributes:
        features: [N, F].
        validation: features and targets of the pairs that choose leaves and rounds.
        seed: of the first member; the others' follow it.
        names: of the columns [F].
    """

    features: Matrix
    targets: Targets
    validation: tuple[Matrix, Targets]
    conf: LexicalConf
    seed: int
    names: Sequence[str]

    def fit_one(self) -> Boosters:
        """Fit the first member, with the leaves that validation chose."""
        tried = [self._fit_member(leaves, 0) for leaves in self.conf.leaves]
        best = min(tried, key=lambda boosters: boosters.loss)
        return replace(best, losses={boosters.leaves: boosters.loss for boosters in tried})

    def add_members(self, member: Boosters) -> Boosters:
        """Fit the other members; the loss of its leaves becomes the bag's."""
        others = [self._fit_member(member.leaves, number) for number in range(1, self.conf.bag)]
        bag = [member, *others]
        merged = replace(
            member,
            ge_1=tuple(booster for boosters in bag for booster in boosters.ge_1),
            ge_2=tuple(booster for boosters in bag for booster in boosters.ge_2),
        )
        return replace(merged, losses=member.losses | {member.leaves: self._compute_loss(merged)})

    def _fit_member(self, leaves: int, number: int) -> Boosters:
        """Fit one booster per threshold."""
        truths, labels = self.validation[1], self.targets
        grown = Boosters(
            (self._fit_booster(leaves, number, labels.label_ge_1, truths.label_ge_1),),
            (self._fit_booster(leaves, number, labels.label_ge_2, truths.label_ge_2),),
            leaves,
            {},
        )
        return replace(grown, losses={leaves: self._compute_loss(grown)})

    def _fit_booster(
        self, leaves: int, number: int, label: NDArray[np.float64], truth: NDArray[np.float64]
    ) -> lightgbm.Booster:
        judged, truths = self.validation
        train = _build_dataset(self.features, label, self.targets.weight, self.names)
        watched = lightgbm.Dataset(judged, truth, weight=truths.weight, reference=train)
        return lightgbm.train(
            _build_parameters(self.conf, leaves, self.seed + number),
            train,
            self.conf.rounds,
            valid_sets=[watched],
            callbacks=[lightgbm.early_stopping(self.conf.patience, verbose=False)],
        )

    def _compute_loss(self, boosters: Boosters) -> float:
        judged, truths = self.validation
        return compute_cross_entropy(boosters.predict(judged), truths)


def refit_boosters(
    chosen: Boosters,
    features: Matrix,
    targets: Targets,
    conf: LexicalConf,
    seed: int,
    names: Sequence[str],
) -> Boosters:
    """Grow as many leaves and rounds as fitted boosters have on other pairs, without validation."""

    def regrow(boosters: Sequence[lightgbm.Booster], label: NDArray[np.float64]) -> Any:
        grown = []
        for number, booster in enumerate(boosters):
            parameters = _build_parameters(conf, chosen.leaves, seed + number)
            train = _build_dataset(features, label, targets.weight, names)
            grown.append(lightgbm.train(parameters, train, max(1, booster.num_trees())))
        return tuple(grown)

    ge_1, ge_2 = regrow(chosen.ge_1, targets.label_ge_1), regrow(chosen.ge_2, targets.label_ge_2)
    return replace(chosen, ge_1=ge_1, ge_2=ge_2)


def _build_dataset(
    features: Matrix,
    label: NDArray[np.float64],
    weight: NDArray[np.float64],
    names: Sequence[str],
) -> lightgbm.Dataset:
    return lightgbm.Dataset(features, label, weight=weight, feature_name=list(names))


def _average_boosters(
    boosters: Sequence[lightgbm.Booster], features: Matrix
) -> NDArray[np.float64]:
    """Average the boosters member by member, so that a pair alone gets what it gets among
    others."""
    total = np.zeros(len(features))
    for booster in boosters:
        total += np.asarray(booster.predict(features, num_threads=1), np.float64)
    return (total / len(boosters)).clip(0, 1)


def _build_parameters(conf: LexicalConf, leaves: int, seed: int) -> dict[str, Any]:
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
