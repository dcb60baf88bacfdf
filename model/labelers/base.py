"""What every labeler takes and gives."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from conf.errors import UserError
from model.arrays import Floats

GRADE_COUNT = 3
"""Grades 0, 1 and 2."""
ORDER_SLACK = 1e-6
"""Rounding by which P(grade >= 2) may lie above P(grade >= 1)."""


class LabelerError(UserError, ValueError):
    """A labeler cannot be fitted, read or used; the message names the input and the mend."""


@dataclass(frozen=True)
class Pairs:
    """N query and item texts, side by side; the item's text is its title, led by its brand."""

    queries: Sequence[str]
    items: Sequence[str]

    def __post_init__(self) -> None:
        if len(self.queries) != len(self.items):
            raise LabelerError(f"{len(self.queries)} queries beside {len(self.items)} items")

    def __len__(self) -> int:
        return len(self.queries)

    def select_rows(self, rows: NDArray[Any]) -> "Pairs":
        """Select the pairs of these row numbers (or of this mask), in their order."""
        at = np.flatnonzero(rows) if np.asarray(rows).dtype == bool else np.asarray(rows)
        return Pairs([self.queries[i] for i in at], [self.items[i] for i in at])

    def followed_by(self, others: "Pairs") -> "Pairs":
        """Append other pairs to these."""
        return Pairs([*self.queries, *others.queries], [*self.items, *others.items])


@dataclass(frozen=True)
class Probabilities:
    """P(grade >= 1) and P(grade >= 2) of N pairs, [N] each.

    Raises:
        LabelerError: a value outside [0, 1], not finite, or p_ge_2 above p_ge_1.
    """

    p_ge_1: Floats
    p_ge_2: Floats

    def __post_init__(self) -> None:
        ge_1, ge_2 = self.p_ge_1, self.p_ge_2
        if ge_1.shape != ge_2.shape or ge_1.ndim != 1:
            raise LabelerError(f"p_ge_1 has shape {ge_1.shape}, p_ge_2 {ge_2.shape}")
        both = np.concatenate([ge_1, ge_2])
        if not np.all(np.isfinite(both)) or np.any((both < 0) | (both > 1)):
            raise LabelerError("a label probability is not a number in [0, 1]")
        if np.any(ge_2 > ge_1 + ORDER_SLACK):
            raise LabelerError("P(grade >= 2) lies above P(grade >= 1)")

    def __len__(self) -> int:
        return len(self.p_ge_1)

    @property
    def expected(self) -> Floats:
        """[N] expected grade, P(>= 1) + P(>= 2), in [0, 2]."""
        return np.asarray(self.p_ge_1 + self.p_ge_2, np.float64)

    @property
    def grades(self) -> NDArray[np.int64]:
        """[N] the most probable grade; the lower one of a tie."""
        masses = np.stack([1 - self.p_ge_1, self.p_ge_1 - self.p_ge_2, self.p_ge_2], axis=1)
        return np.asarray(masses.argmax(axis=1), np.int64)


@dataclass(frozen=True)
class Targets:
    """What a labeler learns: soft cumulative labels [N] and the weight of each pair [N]."""

    label_ge_1: Floats
    label_ge_2: Floats
    weight: Floats

    @classmethod
    def from_grades(cls, grades: NDArray[Any]) -> Self:
        """Make hard labels of grades 0, 1, 2 [N], weight 1.

        Raises:
            LabelerError: a grade outside 0..2; the first such row is named.
        """
        wrong = np.flatnonzero(~np.isin(grades, range(GRADE_COUNT)))
        if wrong.size:
            at = int(wrong[0])
            raise LabelerError(f"row {at}: grade {grades[at]} is not 0, 1 or 2")
        true_grades = np.asarray(grades, np.float64)
        return cls(
            (true_grades >= 1).astype(float),
            (true_grades >= 2).astype(float),
            np.ones(len(true_grades)),
        )

    def __len__(self) -> int:
        return len(self.weight)

    def select_rows(self, rows: NDArray[Any]) -> "Targets":
        """Select the targets of these row numbers (or of this mask)."""
        return Targets(self.label_ge_1[rows], self.label_ge_2[rows], self.weight[rows])

    def followed_by(self, others: "Targets") -> "Targets":
        """Append other targets to these."""
        return Targets(
            np.append(self.label_ge_1, others.label_ge_1),
            np.append(self.label_ge_2, others.label_ge_2),
            np.append(self.weight, others.weight),
        )


@dataclass(frozen=True)
class FitReport:
    """How a fit went.

    Attributes:
        pairs: learnt from (count).
        seconds: that it took.
        details: what else the labeler has to say (JSON-able).
        validation: what the labeler said of the validation pairs [M] before it learnt from them,
            too; None: it never did.
    """

    pairs: int
    seconds: float
    details: dict[str, Any] = field(default_factory=dict)
    validation: Probabilities | None = None


class Labeler(Protocol):
    """One interface of all labelers; see `model.labelers.store` for how they are kept."""

    kind: str

    @property
    def version(self) -> str:
        """16 hex digits over the base model, template, training data and conf."""

    @property
    def prompt_hash(self) -> str | None:
        """Hash of the prompt or template; None where the labeler reads none."""

    def fit(self, pairs: Pairs, targets: Targets, validation: tuple[Pairs, Targets]) -> FitReport:
        """Learn from `pairs`; choose what is to be chosen on `validation` only.

        A labeler may then learn once more with what was chosen, from both; the report has its
        answers for `validation` from before that.

        Raises:
            LabelerError: no pairs, lengths differ, or a grade is absent from the targets.
        """

    def predict(self, pairs: Pairs) -> Probabilities:
        """Predict the probabilities of the pairs, in their order."""

    def save(self, folder: Path) -> None:
        """Write safetensors and JSON files into an existing empty folder."""
