"""Answers of which some may be missing, each with its reason: nothing is lost."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from model.arrays import Floats
from model.labelers.base import Labeler, LabelerError, Pairs, Probabilities


@dataclass(frozen=True)
class Answers:
    """What a labeler says of N pairs.

    Attributes:
        p_ge_1: [N] P(grade >= 1), NaN where there is no answer.
        p_ge_2: [N] P(grade >= 2), likewise.
        reasons: N texts, why there is no answer; None where there is one.
        suspected: [N] true where a text looks like an order to the reader of the prompt.

    Raises:
        LabelerError: a row has both or neither of an answer and a reason, or an answer is not a
            probability.
    """

    p_ge_1: Floats
    p_ge_2: Floats
    reasons: Sequence[str | None]
    suspected: NDArray[np.bool_]

    def __post_init__(self) -> None:
        lengths = {len(self.p_ge_1), len(self.p_ge_2), len(self.reasons), len(self.suspected)}
        if len(lengths) != 1:
            raise LabelerError(f"columns of answers have lengths {sorted(lengths)}")
        answered = self.answered
        if np.any(answered != ~np.isnan(self.p_ge_1)) or np.any(answered != ~np.isnan(self.p_ge_2)):
            raise LabelerError("a pair needs either an answer or the reason why there is none")
        Probabilities(self.p_ge_1[answered], self.p_ge_2[answered])

    def __len__(self) -> int:
        return len(self.reasons)

    @property
    def answered(self) -> NDArray[np.bool_]:
        """[N] true where there is an answer."""
        return np.array([reason is None for reason in self.reasons], dtype=bool)

    @property
    def missing(self) -> dict[str, int]:
        """Pairs without an answer by reason, most frequent first."""
        return dict(Counter(reason for reason in self.reasons if reason is not None).most_common())

    def require_complete(self) -> Probabilities:
        """Give the probabilities of all pairs.

        Raises:
            LabelerError: a pair has no answer; the reasons are counted.
        """
        if self.missing:
            counted = ", ".join(f"{count} x {reason}" for reason, count in self.missing.items())
            raise LabelerError(
                f"no grade for {sum(self.missing.values())} of {len(self)}: {counted}"
            )
        return Probabilities(self.p_ge_1, self.p_ge_2)


@runtime_checkable
class PartialLabeler(Protocol):
    """A labeler that may leave pairs without an answer."""

    def predict_some(self, pairs: Pairs) -> Answers:
        """Give an answer or a reason for each pair, in their order."""


def predict_some(labeler: Labeler, pairs: Pairs) -> Answers:
    """Ask any labeler: one that always answers gives all answers and no reason."""
    if isinstance(labeler, PartialLabeler):
        return labeler.predict_some(pairs)
    p = labeler.predict(pairs)
    return Answers(p.p_ge_1, p.p_ge_2, [None] * len(pairs), np.zeros(len(pairs), bool))
