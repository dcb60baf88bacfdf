"""What the baselines learn from the labels: binary rows, and lists with whole-number levels."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.baselines.rows import Codes, Matrix, SplitMatrix
from model.spec import RELEVANCE, InputSpec
from model.value.weights import ValueWeights

_STEPS = 10
"""Levels per grade: soft grades lie between 0 and 2, LambdaMART takes whole numbers."""

_LONGEST = 10_000
"""Rows of a list that LightGBM takes; a longer one is cut."""


@dataclass(frozen=True)
class Learning:
    """N rows that a model learns from or is judged by.

    Attributes:
        features: [N, F] in the order of the spec, and [N, F + 1] with the position at the end.
        label: [N].
        weight: [N].
        groups: rows of each list, one after the other, of a ranking objective; else None.
    """

    features: Matrix
    label: NDArray[Any]
    weight: NDArray[Any]
    groups: NDArray[np.int64] | None = None

    @property
    def teaches(self) -> bool:
        """Whether there is anything to learn: two rows whose labels differ."""
        labels = self.label[self.weight > 0]
        return len(labels) > 1 and float(np.ptp(labels)) > 0


def append_position(rows: SplitMatrix) -> Matrix:
    """Append the logged position to the features: [N, F + 1]."""
    return np.column_stack([rows.features, rows.position])


def select_task_rows(rows: SplitMatrix, task: str, features: Matrix) -> Learning:
    """Select the rows whose label of the task is known, weight 1 each."""
    labelled = rows.labels[f"mask_{task}"] > 0
    label = rows.labels[f"label_{task}"][labelled]
    return Learning(features[labelled], label, np.ones(len(label), np.float32))


def select_grade_rows(rows: SplitMatrix, grade: str) -> Learning:
    """Select the graded rows with P(grade) of their label, weighted like in the ranker's loss."""
    weight = compute_grade_weight(rows)
    graded = weight > 0
    return Learning(rows.features[graded], rows.labels[f"label_{grade}"][graded], weight[graded])


def compute_grade_weight(rows: SplitMatrix) -> Matrix:
    """Compute the weight of the relevance label, [N]; 0 where there is none."""
    return rows.labels[f"mask_{RELEVANCE}"] * rows.labels[f"weight_{RELEVANCE}"]


@dataclass(frozen=True)
class EngagementLevels:
    """Weighted engagement sum_t w_t y_t of a row as a level: an index into its possible values."""

    tasks: tuple[str, ...]
    weights: tuple[float, ...]

    @classmethod
    def from_spec(cls, spec: InputSpec, weights: ValueWeights) -> "EngagementLevels":
        """Take the tasks of the spec and the value model's weights; a task that it does not know
        weighs 1."""
        return cls(spec.tasks, tuple(float(getattr(weights, t, 1.0)) for t in spec.tasks))

    @property
    def gains(self) -> list[float]:
        """Gain of each level, ascending from 0."""
        possible = product((0.0, 1.0), repeat=len(self.tasks))
        sums = {round(float(np.dot(self.weights, hits)), 9) for hits in possible}
        return sorted(sums)

    def build_page_lists(self, rows: SplitMatrix) -> Learning:
        """Build one list per page on which every label of every row is known.

        If only the rows with unknown labels were dropped, those whose good news came early would
        stay."""
        page = _require_codes(rows.page)
        total, labelled = np.zeros(len(page)), page >= 0
        for task, weight in zip(self.tasks, self.weights, strict=True):
            labelled &= rows.labels[f"mask_{task}"] > 0
            total += weight * rows.labels[f"label_{task}"]
        complete = (page >= 0) & ~np.isin(page, page[(page >= 0) & ~labelled])
        gains = np.asarray(self.gains)
        level = np.abs(total[complete, None] - gains).argmin(axis=1)
        return group_rows(rows.features[complete], level, np.ones(len(level)), page[complete])


GRADE_GAINS = [2.0 ** (level / _STEPS) - 1.0 for level in range(2 * _STEPS + 1)]
"""Gain 2^grade - 1 of each level of `build_judged_lists`."""


def build_judged_lists(rows: SplitMatrix) -> Learning:
    """Build one list per query of its graded rows; level = the expected grade in tenths."""
    unit, weight = _require_codes(rows.unit), compute_grade_weight(rows)
    graded = weight > 0
    grade = rows.labels["label_ge_1"][graded] + rows.labels["label_ge_2"][graded]
    level = np.rint(_STEPS * grade).astype(np.int64)
    return group_rows(rows.features[graded], level, weight[graded], unit[graded])


def mix_lists(pages: Learning, judged: Learning, levels: int) -> Learning:
    """Put pages and judged lists into one set of lists, each kind with half of the weight.

    A row has a label of one kind; the other label would have to be guessed. So lists are mixed, not
    labels. Levels of judged lists come after the `levels` of the pages."""
    share = pages.weight.sum() / max(float(judged.weight.sum()), 1e-9)
    parts = [part.groups for part in (pages, judged) if part.groups is not None]
    return Learning(
        np.concatenate([pages.features, judged.features]),
        np.concatenate([pages.label, judged.label + levels]),
        np.concatenate([pages.weight, judged.weight * share]),
        np.concatenate(parts),
    )


def group_rows(
    features: Matrix, level: NDArray[np.int64], weight: NDArray[Any], code: Codes
) -> Learning:
    """Sort the rows list by list, with the number of rows of each."""
    order = np.argsort(code, kind="stable")
    counts = np.unique(code, return_counts=True)[1]
    return Learning(features[order], level[order], weight[order], _cut_groups(counts))


def _cut_groups(counts: Sequence[int] | NDArray[np.int64]) -> NDArray[np.int64]:
    sizes = [
        min(_LONGEST, int(count) - start)
        for count in counts
        for start in range(0, int(count), _LONGEST)
    ]
    return np.asarray(sizes, np.int64)


def _require_codes(codes: Codes | None) -> Codes:
    if codes is None:
        raise ValueError("the snapshot names no pages or queries: lists cannot be told apart")
    return codes
