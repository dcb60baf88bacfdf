"""What the trees of the cross-encoder learn from graded pairs beside the words: see `Graded`."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from model.labelers import directions, neighbours
from model.labelers.base import LabelerError, Pairs, Targets
from model.labelers.directions import Directions
from model.labelers.neighbours import Neighbours, out_of_fold

Floats32 = NDArray[np.float32]
VERSION = 1
FEATURES = (*neighbours.FEATURES, *directions.FEATURES)
"""Names of the columns, in their order."""


@dataclass(frozen=True)
class Graded:
    """Near queries and items with their grades, and where the texts stand among all of them."""

    neighbours: Neighbours
    directions: Directions

    @classmethod
    def of(cls, pairs: Pairs, targets: Targets, queries: Floats32, items: Floats32) -> Self:
        """Take graded pairs and the unit vectors [N, D] of their queries and items."""
        return cls(Neighbours.of(pairs, targets, queries, items), Directions.of(queries, items))

    def features(self, pairs: Pairs, queries: Floats32, items: Floats32) -> Floats32:
        """[N, len(FEATURES)] of pairs with the vectors [N, D] of their queries and items."""
        near = self.neighbours.features(pairs, queries, items)
        return np.concatenate([near, self.directions.features(queries, items)], axis=1)

    def own_features(self, pairs: Pairs, queries: Floats32, items: Floats32) -> Floats32:
        """The same of the graded pairs themselves: neighbours are those of other folds."""
        near = out_of_fold(pairs, self.neighbours, queries, items)
        return np.concatenate([near, self.directions.features(queries, items)], axis=1)

    def save(self, file: Path) -> None:
        """Write a safetensors file; the neighbours' vectors in float16."""
        tensors = vars(self.neighbours) | vars(self.directions)
        half = {name: tensors[name].astype(np.float16) for name in ("queries", "items")}
        save_file(tensors | half, file)

    @classmethod
    def load(cls, file: Path) -> Self:
        """What `save` wrote.

        Raises:
            LabelerError: the file is missing, damaged or of another kind.
        """
        try:
            found = load_file(file)
            for name in ("queries", "items"):
                found[name] = found[name].astype(np.float32)
            near = Neighbours(*(found[entry.name] for entry in fields(Neighbours)))
            main = Directions(*(found[entry.name] for entry in fields(Directions)))
        except (OSError, SafetensorError, KeyError) as error:
            raise LabelerError(f"graded pairs in {file} cannot be read: {error}") from error
        return cls(near, main)
