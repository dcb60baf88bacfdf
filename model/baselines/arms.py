"""Fitted baselines: their scores of any rows, and their one file of text."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from conf.errors import UserError
from model.arrays import Floats
from model.files import read_json, write_text
from model.value.weights import ValueWeights

if TYPE_CHECKING:
    from model.baselines.boosting import BoostedTrees

Matrix = NDArray[np.float32]

COLUMNS = {
    "popularity": "item_region_popularity",
    "bm25": "pair_bm25",
    "cosine": "pair_cosine",
}
"""Feature that an arm without a model ranks by."""

SHOWN_FIRST = 1.0
"""Position at which every candidate is scored, as the ranker's own scores hold for it."""


class BaselineError(UserError, ValueError):
    """A baseline cannot be read; the message says which part."""


@dataclass(frozen=True)
class Baselines:
    """The arms that could be fitted.

    Attributes:
        names: features of the input matrix [N, F], in order.
        weights: of the value formula.
        columns: arms that rank by one feature.
        probabilities: arm -> task or grade -> its model.
        rankings: LambdaMART arm -> its model.
        positioned: arms of `probabilities` whose task models read the position.
        notes: arms that were left out, and why.
    """

    names: tuple[str, ...]
    weights: ValueWeights
    columns: tuple[str, ...] = ()
    probabilities: Mapping[str, Mapping[str, "BoostedTrees"]] = field(default_factory=dict)
    rankings: Mapping[str, "BoostedTrees"] = field(default_factory=dict)
    positioned: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()

    @property
    def arms(self) -> list[str]:
        """Names of the arms, in the order of `score_candidates`."""
        return [*self.columns, *self.probabilities, *self.rankings]

    def score_candidates(self, features: Matrix, threads: int = 1) -> dict[str, dict[str, Floats]]:
        """Score N candidates by every arm, at position 1 where a model reads the position.

        Args:
            features: [N, F], columns as `names`.
            threads: of LightGBM (count).

        Returns:
            arm -> `engagement` and `relevance`, [N] each, what the arm ranks by (an arm of one kind
            has one of them; of a feature and of lambdamart_mixed both are the same), and the
            probabilities p_click, p_cart, p_purchase, p_ge_1, p_ge_2 of an arm that has them.
        """
        by_arm: dict[str, dict[str, Floats]] = {}
        for arm in self.columns:
            value = features[:, self.names.index(COLUMNS[arm])].astype(np.float64)
            by_arm[arm] = {"engagement": value, "relevance": value}
        for arm, models in self.probabilities.items():
            by_arm[arm] = self._score_probabilities(
                features, models, arm in self.positioned, threads
            )
        for arm, trees in self.rankings.items():
            score = trees.predict(features, threads)
            by_arm[arm] = dict.fromkeys(RANKED[arm], score)
        return by_arm

    def _score_probabilities(
        self, features: Matrix, models: Mapping[str, "BoostedTrees"], positioned: bool, threads: int
    ) -> dict[str, Floats]:
        on_top = np.full((len(features), 1), SHOWN_FIRST, np.float32)
        inputs = np.concatenate([features, on_top], axis=1) if positioned else features
        scores = {}
        for name, trees in models.items():
            read = features if name.startswith("ge_") else inputs
            scores[f"p_{name}"] = trees.predict(read, threads)
        if "p_ge_2" in scores:
            scores["p_ge_2"] = np.minimum(scores["p_ge_1"], scores["p_ge_2"])
            scores["relevance"] = scores["p_ge_1"] + scores["p_ge_2"]
        tasks = [name for name in models if not name.startswith("ge_")]
        terms = [getattr(self.weights, task, 1.0) * scores[f"p_{task}"] for task in tasks]
        return {"engagement": np.sum(terms, axis=0)} | scores

    def to_json(self) -> dict[str, Any]:
        """Give plain JSON from which `from_json` makes equal baselines."""
        return {
            "names": list(self.names),
            "weights": list(self.weights.as_tuple()),
            "columns": list(self.columns),
            "probabilities": {
                arm: {name: trees.to_json() for name, trees in models.items()}
                for arm, models in self.probabilities.items()
            },
            "rankings": {arm: trees.to_json() for arm, trees in self.rankings.items()},
            "positioned": sorted(self.positioned),
            "notes": list(self.notes),
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Baselines":
        """Give the baselines that `to_json` wrote.

        Raises:
            BaselineError: trees that cannot be read.
        """
        return cls(
            names=tuple(content["names"]),
            weights=ValueWeights(*content["weights"]),
            columns=tuple(content["columns"]),
            probabilities={
                arm: {name: _read_trees(entry) for name, entry in models.items()}
                for arm, models in content["probabilities"].items()
            },
            rankings={arm: _read_trees(entry) for arm, entry in content["rankings"].items()},
            positioned=frozenset(content["positioned"]),
            notes=tuple(content["notes"]),
        )


RANKED = {
    "lambdamart_engagement": ("engagement",),
    "lambdamart_relevance": ("relevance",),
    "lambdamart_mixed": ("engagement", "relevance"),
}
"""What a LambdaMART arm is meant to rank by."""


def save_baselines(baselines: Baselines, path: Path) -> None:
    """Write one JSON file that appears whole or not at all."""
    write_text(path, json.dumps(baselines.to_json()))


def load_baselines(path: Path) -> Baselines:
    """Load the baselines of a file that `save_baselines` wrote.

    Raises:
        BaselineError: the file, or trees in it, cannot be read.
    """
    content = read_json(path, BaselineError)
    try:
        return Baselines.from_json(content)
    except (KeyError, TypeError, AttributeError) as error:
        raise BaselineError(f"{path} is damaged ({error!r})") from error


def _read_trees(entry: Mapping[str, Any]) -> "BoostedTrees":
    from model.baselines.boosting import BoostedTrees  # needs LightGBM, which columns do not

    return BoostedTrees.from_json(entry)
