"""Sums, samples and small regressions over the rows of a split, group by group of its files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression

from model.spec import InputSpec

Doubles = npt.NDArray[np.float64]
QUANTILES = 64
"""Steps of the grid of quantiles that is kept: as many bins as a feature may be cut into."""
SAMPLE = 200_000
"""Rows behind the quantiles, enough for 64 of them within .2 % of mass: the first of the split,
whose rows are in random order."""
GRADED = 50_000
"""Graded rows behind the regressions on the fit features: plenty for some ten weights each."""
_FAR = 8.0
"""Standard deviations at which a value is cut, as the input layer does by default."""
_STRENGTH = 1.0
"""Inverse variance of the normal prior on a weight: with few rows weights stay near 0."""


@dataclass
class Moments:
    """Count, mean and sum of squared deviations of every column, merged file by file."""

    count: int
    mean: Doubles
    squares: Doubles

    def merge(self, block: Doubles) -> None:
        """Add [columns, rows] (Chan, Golub and LeVeque 1983, eq. 2.1)."""
        rows = block.shape[1]
        total = self.count + rows
        mean = block.mean(axis=1)
        delta = mean - self.mean
        self.squares += ((block - mean[:, None]) ** 2).sum(axis=1)
        self.squares += delta**2 * (self.count * rows / total)
        self.mean += delta * (rows / total)
        self.count = total


class Sample:
    """Keeps the first rows of a split, for quantiles."""

    def __init__(self) -> None:
        self._groups: list[npt.NDArray[np.float32]] = []
        self._rows = 0

    def add(self, group: npt.NDArray[np.float32]) -> None:
        """Keep [columns, rows] as far as SAMPLE rows reach."""
        rows = group[:, : SAMPLE - self._rows]
        if rows.shape[1]:
            self._groups.append(rows.copy())
            self._rows += rows.shape[1]

    def compute_quantiles(self, names: Mapping[int, str]) -> dict[str, list[float]]:
        """Compute the quantiles of the columns by name."""
        if not self._groups:
            return {}
        grid = np.linspace(0.0, 1.0, QUANTILES + 1)
        by_name = {}
        for column, name in names.items():
            values = np.concatenate([group[column] for group in self._groups])
            by_name[name] = [float(q) for q in np.quantile(values, grid)]
        return by_name


class GradedSample:
    """Keeps the first rows with a grade: fit features, labels and weights."""

    def __init__(self, spec: InputSpec) -> None:
        self._spec, self._rows = spec, 0
        self._parts: list[npt.NDArray[np.float32]] = []

    def add(
        self, group: npt.NDArray[np.float32], labels: Mapping[str, npt.NDArray[np.float32]]
    ) -> None:
        """Keep the graded ones of [columns, rows] as far as GRADED rows reach."""
        if not (self._spec.grades and self._spec.fit_positions):
            return
        weight = labels["mask_relevance"] * labels["weight_relevance"]
        graded = np.flatnonzero(weight > 0)[: GRADED - self._rows]
        label_ge = [labels[f"label_{grade}"] for grade in self._spec.grades]
        self._parts.append(
            np.stack([*group[self._spec.fit_positions], *label_ge, weight])[:, graded]
        )
        self._rows += len(graded)

    def fit_line(self, mean: Doubles, std: Doubles) -> dict[str, list[float]]:
        """Fit the regressions on the sample, given the moments of all features."""
        if not self._rows:
            return {}
        at, rows = self._spec.fit_positions, np.concatenate(self._parts, axis=1).astype(np.float64)
        values, label_ge, weight = rows[: len(at)].T, rows[len(at) : -1].T, rows[-1]
        names = [self._spec.names[i] for i in at]
        return fit_regressions(names, (values - mean[at]) / std[at], label_ge, weight)


class RegionCounts:
    """Counts rows by region id; without a region feature every row is of the unknown region."""

    def __init__(self, spec: InputSpec) -> None:
        self._position = spec.region_position
        self.rows = np.zeros(len(spec.regions) + 1, np.int64)

    def add(self, group: npt.NDArray[np.float32]) -> None:
        """Count the rows of [columns, rows]."""
        if self._position is None:
            self.rows[0] += group.shape[1]
            return
        ids = group[self._position].astype(np.int64)
        self.rows += np.bincount(ids, minlength=len(self.rows))[: len(self.rows)]


class LabelSums:
    """Adds up labels and their masks, by task and grade."""

    def __init__(self, spec: InputSpec) -> None:
        self._tasks, self._grades = spec.tasks, spec.grades
        self._hits = dict.fromkeys((*spec.tasks, *spec.grades), 0.0)
        self._weights = dict(self._hits)
        self.soft = 0

    def add(self, columns: Mapping[str, npt.NDArray[np.float32]]) -> None:
        """Sum label and mask columns [rows] by name."""
        for task in self._tasks:
            self._add_sums(task, columns[f"label_{task}"], columns[f"mask_{task}"])
        for grade in self._grades:
            weight = columns["mask_relevance"] * columns["weight_relevance"]
            self._add_sums(grade, columns[f"label_{grade}"], weight)
        self.soft += self._count_soft_rows(columns)

    def _count_soft_rows(self, columns: Mapping[str, npt.NDArray[np.float32]]) -> int:
        """Count rows with a relevance label for which a grade is neither certain nor ruled out."""
        if not self._grades:
            return 0
        ge = np.stack([columns[f"label_{grade}"] for grade in self._grades])
        graded = columns["mask_relevance"] * columns["weight_relevance"] > 0
        return int((graded & ((ge > 0) & (ge < 1)).any(axis=0)).sum())

    def _add_sums(
        self, name: str, label: npt.NDArray[np.float32], mask: npt.NDArray[np.float32]
    ) -> None:
        self._hits[name] += float((label * mask).sum(dtype=np.float64))
        self._weights[name] += float(mask.sum(dtype=np.float64))

    def compute_rates(self) -> dict[str, float]:
        """Compute the mean of each label over the rows where it is known; one that is known nowhere
        is left out."""
        return {name: self._hits[name] / n for name, n in self._weights.items() if n > 0}


def fit_regressions(
    names: Sequence[str], z: Doubles, label_ge: Doubles, weight: Doubles
) -> dict[str, list[float]]:
    """Fit two regressions: two weights per feature, and the two intercepts under the empty name.

    The first regression is of grade >= 1, the second of grade >= 2 among rows that reach grade 1:
    the logits of the conditional chain (`model.heads.ordinal`). A soft label counts on both sides,
    by its probability.

    Args:
        names: the F features.
        z: [N, F] standardised values.
        label_ge: [N, 2], P(grade >= k) of the label.
        weight: [N].

    Returns:
        Nothing where a threshold has labels on one side only, or there are no features.
    """
    values = np.clip(z, -_FAR, _FAR)
    reached = np.ones(len(z))
    fitted = []
    for above in label_ge.T:
        sides = np.concatenate([weight * above, weight * (reached - above)])
        if not names or sides[: len(z)].sum() <= 0 or sides[len(z) :].sum() <= 0:
            return {}
        weighs = sides > 0
        both = np.concatenate([values, values])[weighs]
        answer = np.repeat([1, 0], len(z))[weighs]
        model = LogisticRegression(C=1.0 / _STRENGTH, max_iter=200)
        model.fit(both, answer, sample_weight=sides[weighs])
        fitted.append([float(model.intercept_[0]), *map(float, model.coef_[0])])
        reached = above
    return dict(zip(("", *names), np.transpose(fitted).tolist(), strict=True))
