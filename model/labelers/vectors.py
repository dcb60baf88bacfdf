"""Labelers whose sentence vectors may be stored ones."""

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float32]


@runtime_checkable
class ReadsVectors(Protocol):
    """A labeler that computes sentence vectors of the texts that it reads."""

    @property
    def encoder_version(self) -> str | None:
        """Version of the encoder whose vectors it reads; None: it reads none."""
        ...

    def add_vectors(self, vectors: Mapping[str, Vector]) -> None:
        """Take unit vectors [D] by text, of that encoder; they are not computed again.

        Of very many the last ones are kept.
        """
        ...
