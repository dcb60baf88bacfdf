"""What the trees learn of the training pairs beside a pair: see `GradedPairs`."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from model.labelers.base import LabelerError, Pairs, Targets
from model.labelers.lexical import directions, neighbours
from model.labelers.lexical.directions import Directions
from model.labelers.lexical.inputs import LexicalInputs
from model.labelers.lexical.neighbours import Neighbours

Floats32 = NDArray[np.float32]
VERSION = 3
"""Rises when a feature is computed in another way: it is part of a labeler's version."""
FEATURES = (*neighbours.FEATURES, *directions.FEATURES)
"""Names of the columns, in their order."""
_HALF = ("queries", "items")
"""Vectors of the neighbours, written in float16."""


@dataclass(frozen=True)
class GradedPairs:
    """Grades of near queries and items, and where the two texts stand among all."""

    neighbours: Neighbours
    directions: Directions

    @classmethod
    def learn_pairs(
        cls, pairs: Pairs, targets: Targets, inputs: LexicalInputs
    ) -> tuple[Self, Floats32]:
        """Take graded pairs.

        Returns:
            What was learnt, and the features [N, len(FEATURES)] of these pairs themselves: what
            others' grades say comes from the queries of other folds.
        """
        queries, items = inputs.read_vectors(pairs)
        learnt = cls(
            Neighbours.from_pairs(pairs, targets, queries, items),
            Directions.from_vectors(queries, items),
        )
        parts = [
            neighbours.compute_out_of_fold(pairs, learnt.neighbours, queries, items),
            learnt.directions.compute_features(queries, items),
        ]
        return learnt, np.concatenate(parts, axis=1)

    def compute_features(self, pairs: Pairs, inputs: LexicalInputs) -> Floats32:
        """Compute the features [N, len(FEATURES)] of pairs."""
        queries, items = inputs.read_vectors(pairs)
        parts = [
            self.neighbours.compute_features(pairs, queries, items),
            self.directions.compute_features(queries, items),
        ]
        return np.concatenate(parts, axis=1)

    def save(self, file: Path) -> None:
        """Write a safetensors file; the neighbours' vectors in float16."""
        tensors = {
            f"{part.name}.{name}": value
            for part in fields(self)
            for name, value in vars(getattr(self, part.name)).items()
        }
        half = {f"neighbours.{name}": vars(self.neighbours)[name] for name in _HALF}
        save_file(tensors | {name: v.astype(np.float16) for name, v in half.items()}, file)

    @classmethod
    def load(cls, file: Path) -> Self:
        """Load what `save` wrote.

        Raises:
            LabelerError: the file is missing, damaged, of another kind or of another version.
        """
        try:
            tensors = load_file(file)
            for name in _HALF:
                tensors[f"neighbours.{name}"] = tensors[f"neighbours.{name}"].astype(np.float32)
            return cls(
                _build_part("neighbours", Neighbours, tensors),
                _build_part("directions", Directions, tensors),
            )
        except (OSError, SafetensorError) as error:
            raise LabelerError(f"graded pairs in {file} cannot be read: {error}") from error
        except KeyError as error:
            raise LabelerError(
                f"graded pairs in {file} lack {error}: another version of this code saved them; "
                "fit anew"
            ) from error


def _build_part(name: str, kind: Any, tensors: dict[str, NDArray[Any]]) -> Any:
    return kind(**{entry.name: tensors[f"{name}.{entry.name}"] for entry in fields(kind)})
