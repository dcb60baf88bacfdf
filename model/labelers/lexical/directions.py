"""Where a query and an item stand along the main directions of the training texts."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

Floats32 = NDArray[np.float32]
COUNT = 16
FEATURES: tuple[str, ...] = tuple(
    f"{side}_direction_{n}" for side in ("query", "item") for n in range(1, COUNT + 1)
)
"""Names of the columns, in their order."""


@dataclass(frozen=True)
class Directions:
    """Principal axes of the queries' vectors and of the items' vectors, COUNT each.

    Attributes:
        query_mean, item_mean: [D].
        query_axes, item_axes: [COUNT, D] unit vectors, the one of the largest variance first;
            zeros where the vectors have fewer dimensions.
    """

    query_mean: Floats32
    query_axes: Floats32
    item_mean: Floats32
    item_axes: Floats32

    @classmethod
    def of(cls, queries: Floats32, items: Floats32) -> Self:
        """Measure the axes of the pairs' vectors [N, D]."""
        return cls(*_axes(queries), *_axes(items))

    def features(self, queries: Floats32, items: Floats32) -> Floats32:
        """[N, len(FEATURES)] of pairs with the vectors [N, D] of their queries and items."""
        of_query = (queries - self.query_mean) @ self.query_axes.T
        return np.concatenate([of_query, (items - self.item_mean) @ self.item_axes.T], axis=1)


def _axes(vectors: Floats32) -> tuple[Floats32, Floats32]:
    """Mean [D] and axes [COUNT, D], each with its largest entry positive."""
    mean = vectors.mean(axis=0, dtype=np.float64)
    centred = vectors - mean
    _, found = np.linalg.eigh(centred.T @ centred)  # [D, D], the largest variance last
    axes = np.zeros((COUNT, vectors.shape[1]))
    kept = found[:, ::-1][:, :COUNT].T
    largest = np.take_along_axis(kept, np.abs(kept).argmax(axis=1)[:, None], axis=1)
    axes[: len(kept)] = kept * np.sign(largest)
    return mean.astype(np.float32), axes.astype(np.float32)
