"""Where a query and an item stand along the main directions of the training texts."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

Floats32 = NDArray[np.float32]
COUNT = 16
"""Axes kept of the queries and of the items, each (count)."""
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
    def from_vectors(cls, queries: Floats32, items: Floats32) -> Self:
        """Measure the axes of the pairs' vectors [N, D]."""
        return cls(*_measure_axes(queries), *_measure_axes(items))

    def compute_features(self, queries: Floats32, items: Floats32) -> Floats32:
        """Compute the features [N, len(FEATURES)] of pairs with the vectors [N, D] of their queries
        and items."""
        of_query = (queries - self.query_mean) @ self.query_axes.T
        return np.concatenate([of_query, (items - self.item_mean) @ self.item_axes.T], axis=1)


def _measure_axes(vectors: Floats32) -> tuple[Floats32, Floats32]:
    """Measure the mean [D] and the axes [COUNT, D], each with its largest entry positive."""
    mean = vectors.mean(axis=0, dtype=np.float64)
    centred = vectors - mean
    _, eigenvectors = np.linalg.eigh(centred.T @ centred)  # [D, D], the largest variance last
    axes = np.zeros((COUNT, vectors.shape[1]))
    leading = eigenvectors[:, ::-1][:, :COUNT].T
    largest = np.take_along_axis(leading, np.abs(leading).argmax(axis=1)[:, None], axis=1)
    axes[: len(leading)] = leading * np.sign(largest)
    return mean.astype(np.float32), axes.astype(np.float32)
