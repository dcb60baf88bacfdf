"""One LightGBM model, tuned on validation: the points tried, the fit, its text."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from threading import Lock
from typing import Any

import lightgbm
import numpy as np
from numpy.typing import NDArray

from conf.sections.baselines import BaselinesConf
from model.arrays import Floats
from model.baselines.arms import BaselineError
from model.baselines.targets import Learning
from model.spec import REGION_FEATURE, InputSpec

Matrix = NDArray[np.float32]
_ONE_RANKING = Lock()
"""LightGBM keeps the gains of a ranking in one place for the whole process: two fits at once would
take each other's."""

CUT_OFF = 10
"""Ranks that count in the NDCG that chooses a LambdaMART model, as in the evaluation."""


@dataclass(frozen=True)
class Point:
    """One point of the grid: leaves (count), step size, rows of a leaf (count), L2, hashed ids."""

    leaves: int
    learning_rate: float
    min_leaf: int
    l2: float
    ids: bool


USUAL = Point(leaves=31, learning_rate=0.1, min_leaf=100, l2=1.0, ids=False)
"""LightGBM's own leaves and step size; leaves of 100 rows, since a purchase is one row in a
hundred; no hashed ids, which carry over to no new shop."""

GRID = tuple(
    Point(*values)
    for values in product(
        (8, 15, 31, 63), (0.05, 0.1), (20, 100, 400), (0.0, 1.0, 10.0), (False, True)
    )
)
"""Values that teams try; USUAL is among them."""


def draw_points(trials: int, seed: int) -> list[Point]:
    """List USUAL, then other points of the grid in an order drawn from the seed."""
    others = [point for point in GRID if point != USUAL]
    random.Random(seed).shuffle(others)
    return [USUAL, *others[: trials - 1]]


@dataclass(frozen=True)
class BoostedTrees:
    """A fitted model.

    Attributes:
        booster: the trees; None where the labels did not vary, and `constant` is predicted.
        columns: columns of the input that it reads.
        constant: mean label of its rows.
        figure: validation figure that chose it (log loss in nats, or NDCG); None without trees.
        point: the point of the grid that was chosen.
    """

    booster: lightgbm.Booster | None
    columns: tuple[int, ...]
    constant: float
    figure: float | None = None
    point: Point | None = None

    def predict(self, features: Matrix, threads: int = 1) -> Floats:
        """Predict the rows [N, F], or [N, F + 1] with the position at the end -> [N]."""
        if self.booster is None or len(features) == 0:
            return np.full(len(features), self.constant)
        read = features[:, self.columns]
        return np.asarray(self.booster.predict(read, num_threads=threads), np.float64)

    def to_json(self) -> dict[str, Any]:
        """Give plain JSON; the trees as LightGBM's own text."""
        return {
            "trees": None if self.booster is None else self.booster.model_to_string(),
            "columns": list(self.columns),
            "constant": self.constant,
            "figure": self.figure,
            "point": None if self.point is None else vars(self.point),
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "BoostedTrees":
        """Give the model that `to_json` wrote.

        Raises:
            BaselineError: LightGBM cannot read the text, or a key is missing.
        """
        try:
            text = content["trees"]
            return cls(
                booster=None if text is None else lightgbm.Booster(model_str=text),
                columns=tuple(content["columns"]),
                constant=float(content["constant"]),
                figure=content["figure"],
                point=None if content["point"] is None else Point(**content["point"]),
            )
        except (lightgbm.basic.LightGBMError, KeyError, TypeError) as error:
            raise BaselineError(f"saved trees cannot be read: {error}; fit anew") from error


@dataclass(frozen=True)
class Tuner:
    """Fits models on one snapshot's spec under one budget.

    Attributes:
        spec: features of the input matrix.
        conf: budget.
        seed: of the points and of the trees.
    """

    spec: InputSpec
    conf: BaselinesConf
    seed: int

    def fit_probability(self, train: Learning, validation: Learning) -> BoostedTrees:
        """Fit P(label), labels in [0, 1]; of the points tried, that of the lowest weighted
        validation log loss."""
        fixed = {"objective": "cross_entropy", "metric": "cross_entropy"}
        return self._tune(train, validation, fixed, min)

    def fit_ranking(
        self, train: Learning, validation: Learning, gains: Sequence[float]
    ) -> BoostedTrees:
        """Fit LambdaMART (Burges 2010); of the points tried, that of the highest validation NDCG;
        labels index `gains`."""
        fixed = {
            "objective": "lambdarank",
            "metric": "ndcg",
            "eval_at": [CUT_OFF],
            "label_gain": list(gains),
        }
        with _ONE_RANKING:
            return self._tune(train, validation, fixed, max)

    def _tune(
        self,
        train: Learning,
        validation: Learning,
        fixed: dict[str, Any],
        best: Callable[..., BoostedTrees],
    ) -> BoostedTrees:
        if not (train.teaches and len(validation.label)):
            mean = float(np.mean(train.label)) if len(train.label) else 0.0
            return BoostedTrees(None, (), mean)
        binned: dict[tuple[int, ...], tuple[lightgbm.Dataset, lightgbm.Dataset]] = {}
        tried = []
        for point in draw_points(self.conf.trials, self.seed):
            columns = self._select_columns(train.features.shape[1], point)
            if columns not in binned:
                binned[columns] = self._build_datasets(train, validation, columns)
            tried.append(self._fit_point(binned[columns], columns, point, fixed))
        return best(tried, key=lambda trees: trees.figure)

    def _fit_point(
        self,
        data: tuple[lightgbm.Dataset, lightgbm.Dataset],
        columns: tuple[int, ...],
        point: Point,
        fixed: dict[str, Any],
    ) -> BoostedTrees:
        booster = lightgbm.train(
            {**self._build_parameters(point), **fixed},
            data[0],
            self.conf.rounds,
            valid_sets=[data[1]],
            valid_names=["validation"],
            callbacks=[lightgbm.early_stopping(self.conf.patience, verbose=False)],
        )
        (figure,) = booster.best_score["validation"].values()
        best = lightgbm.Booster(
            model_str=booster.model_to_string(num_iteration=booster.best_iteration)
        )
        return BoostedTrees(best, columns, 0.0, float(figure), point)

    def _select_columns(self, width: int, point: Point) -> tuple[int, ...]:
        """Select the columns of the input; the region stays, hashed ids only where the point has
        them."""
        ids = {i for i, f in enumerate(self.spec.features) if _is_hashed(f.name, f.kind)}
        return tuple(i for i in range(width) if point.ids or i not in ids)

    def _build_datasets(
        self, train: Learning, validation: Learning, columns: tuple[int, ...]
    ) -> tuple[lightgbm.Dataset, lightgbm.Dataset]:
        features = self.spec.features
        categories = [
            place
            for place, column in enumerate(columns)
            if column < len(features) and features[column].kind == "category"
        ]
        learnt = lightgbm.Dataset(
            train.features[:, columns],
            train.label,
            weight=train.weight,
            group=train.groups,
            categorical_feature=categories,
            params=_BINNING | {"num_threads": self.conf.threads},
        )
        watched = learnt.create_valid(
            validation.features[:, columns],
            validation.label,
            weight=validation.weight,
            group=validation.groups,
        )
        return learnt, watched

    def _build_parameters(self, point: Point) -> dict[str, Any]:
        return {
            **_BINNING,
            "num_leaves": point.leaves,
            "learning_rate": point.learning_rate,
            "min_data_in_leaf": point.min_leaf,
            "lambda_l2": point.l2,
            "feature_fraction": 0.8,  # as teams set it: trees differ, and a fit is shorter
            "num_threads": self.conf.threads,
            "seed": self.seed,
            "deterministic": True,
        }


_BINNING = {"feature_pre_filter": False, "force_col_wise": True, "verbose": -1}
"""No filter by leaf size, since points of several sizes share the binned rows; columns one by one
are the quicker way for fifty features, and a fixed way is needed for equal results."""


def _is_hashed(name: str, kind: str) -> bool:
    return kind == "category" and name != REGION_FEATURE
