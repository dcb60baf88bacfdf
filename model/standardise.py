"""Means and spreads of the inputs and label rates, in one pass over the training split."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from model.feed import Snapshot, SnapshotError, engine
from model.fit_regression import fit_regressions
from model.spec import InputSpec

Doubles = npt.NDArray[np.float64]
QUANTILES = 64
"""Steps of the grid of quantiles that is kept: as many bins as a feature may be cut into."""
SAMPLE = 200_000
"""Rows behind the quantiles, enough for 64 of them within .2 % of mass: the first of the split,
whose rows are in random order."""
GRADED = 50_000
"""Graded rows behind the regressions on the fit features: plenty for some ten weights each."""


@dataclass(frozen=True)
class Standardisation:
    """What the input layer needs to know of the training rows.

    Attributes:
        mean: by numeric feature.
        std: by numeric feature; 1 where the feature is constant.
        rates: mean of each label where it is known, by task or grade; absent where never known.
        rows: rows behind it (count).
        region_rows: rows by region id from 0, the unknown region; empty where not counted.
        soft_labels: rows whose relevance label lies between two grades (count).
        quantiles: by numeric feature, its QUANTILES + 1 quantiles from the least value to the
            largest, of the first SAMPLE rows.
        fit_line: regressions on the fit features (`model.fit_regression.fit_regressions`) of the
            first GRADED rows with a grade; empty where nothing could be fitted.
    """

    mean: Mapping[str, float]
    std: Mapping[str, float]
    rates: Mapping[str, float]
    rows: int
    region_rows: Sequence[int] = field(default_factory=list)
    soft_labels: int = 0
    quantiles: Mapping[str, Sequence[float]] = field(default_factory=dict)
    fit_line: Mapping[str, Sequence[float]] = field(default_factory=dict)

    def edges(self, name: str, bins: int) -> list[float]:
        """Rising edges of at most `bins` bins of a numeric feature, of about equal mass.

        A value that many rows share takes several quantiles and is an edge once, so there may be
        fewer; a feature that does not vary has none.
        """
        grid = np.asarray(self.quantiles.get(name, ()), np.float64)
        if not len(grid):
            return []
        places = np.round(np.linspace(0, len(grid) - 1, bins + 1)).astype(int)
        return [float(edge) for edge in np.unique(grid[places])]

    def unseen(self, regions: Sequence[str]) -> tuple[str, ...]:
        """Those of the declared regions that no training row is of.

        Args:
            regions: regions[i] has id i + 1.
        """
        if not self.region_rows:
            return ()
        return tuple(r for i, r in enumerate(regions, start=1) if not self.region_rows[i])

    def to_json(self) -> dict[str, Any]:
        """Plain JSON; `Standardisation(**content)` gives it back."""
        return asdict(self)


@dataclass
class _Moments:
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


def measure(snapshot: Snapshot) -> Standardisation:
    """One pass over the train split, file by file.

    Raises:
        SnapshotError: a feature is not finite, a category's id is not a whole number below its
            declared buckets, or no label of any task is known.
    """
    spec = snapshot.spec
    features = len(spec.features)
    columns = [*spec.names, *spec.label_columns]
    moments = _Moments(0, np.zeros(features), np.zeros(features))
    labels, regions, sample = _LabelSums(spec), _RegionCounts(spec), _Sample()
    graded = _Graded(spec)
    paths = [snapshot.folder / file.path for file in snapshot.splits["train"]]
    for group in engine("pyarrow")(paths, columns, None):
        _check(spec, group[:features])
        moments.merge(group[:features].astype(np.float64))
        sample.add(group[:features])
        by_label = dict(zip(spec.label_columns, group[features:], strict=True))
        labels.add(by_label)
        graded.add(group, by_label)
        regions.add(group)
    if not labels.rates():
        raise SnapshotError("no label of any task is known in split train: nothing to learn")
    spread = np.sqrt(moments.squares / max(moments.count, 1))
    spread[spread <= 1e-6] = 1.0
    numeric = [i for i, f in enumerate(spec.features) if f.kind == "numeric"]
    return Standardisation(
        mean={spec.names[i]: float(moments.mean[i]) for i in numeric},
        std={spec.names[i]: float(spread[i]) for i in numeric},
        rates=labels.rates(),
        rows=moments.count,
        region_rows=regions.rows.tolist(),
        soft_labels=labels.soft,
        quantiles=sample.quantiles({i: spec.names[i] for i in numeric}),
        fit_line=graded.line(moments.mean, spread),
    )


class _Sample:
    """The first rows, for quantiles."""

    def __init__(self) -> None:
        self._groups: list[npt.NDArray[np.float32]] = []
        self._rows = 0

    def add(self, group: npt.NDArray[np.float32]) -> None:
        """Keep [columns, rows] as far as SAMPLE rows reach."""
        kept = group[:, : SAMPLE - self._rows]
        if kept.shape[1]:
            self._groups.append(kept.copy())
            self._rows += kept.shape[1]

    def quantiles(self, names: Mapping[int, str]) -> dict[str, list[float]]:
        """Quantiles of the columns by name."""
        if not self._groups:
            return {}
        grid = np.linspace(0.0, 1.0, QUANTILES + 1)
        found = {}
        for column, name in names.items():
            values = np.concatenate([group[column] for group in self._groups])
            found[name] = [float(q) for q in np.quantile(values, grid)]
        return found


class _Graded:
    """The first rows with a grade: fit features, labels and weights."""

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
        kept = np.flatnonzero(weight > 0)[: GRADED - self._rows]
        known = [labels[f"label_{grade}"] for grade in self._spec.grades]
        self._parts.append(np.stack([*group[self._spec.fit_positions], *known, weight])[:, kept])
        self._rows += len(kept)

    def line(self, mean: Doubles, std: Doubles) -> dict[str, list[float]]:
        """The regressions on them, given the moments of all features."""
        if not self._rows:
            return {}
        at, rows = self._spec.fit_positions, np.concatenate(self._parts, axis=1).astype(np.float64)
        values, label_ge, weight = rows[: len(at)].T, rows[len(at) : -1].T, rows[-1]
        names = [self._spec.names[i] for i in at]
        return fit_regressions(names, (values - mean[at]) / std[at], label_ge, weight)


class _RegionCounts:
    """Rows by region id; without a region feature every row is of the unknown region."""

    def __init__(self, spec: InputSpec) -> None:
        self._position = spec.region_position
        self.rows = np.zeros(len(spec.regions) + 1, np.int64)

    def add(self, group: npt.NDArray[np.float32]) -> None:
        if self._position is None:
            self.rows[0] += group.shape[1]
            return
        ids = group[self._position].astype(np.int64)
        self.rows += np.bincount(ids, minlength=len(self.rows))[: len(self.rows)]


class _LabelSums:
    """Sums of labels and of their masks, by task and grade."""

    def __init__(self, spec: InputSpec) -> None:
        self._tasks, self._grades = spec.tasks, spec.grades
        self._hits = dict.fromkeys((*spec.tasks, *spec.grades), 0.0)
        self._known = dict(self._hits)
        self.soft = 0

    def add(self, columns: Mapping[str, npt.NDArray[np.float32]]) -> None:
        for task in self._tasks:
            self._count(task, columns[f"label_{task}"], columns[f"mask_{task}"])
        for grade in self._grades:
            weight = columns["mask_relevance"] * columns["weight_relevance"]
            self._count(grade, columns[f"label_{grade}"], weight)
        self.soft += self._soft_rows(columns)

    def _soft_rows(self, columns: Mapping[str, npt.NDArray[np.float32]]) -> int:
        """Rows with a relevance label for which a grade is neither certain nor ruled out."""
        if not self._grades:
            return 0
        ge = np.stack([columns[f"label_{grade}"] for grade in self._grades])
        known = columns["mask_relevance"] * columns["weight_relevance"] > 0
        return int((known & ((ge > 0) & (ge < 1)).any(axis=0)).sum())

    def _count(
        self, name: str, label: npt.NDArray[np.float32], mask: npt.NDArray[np.float32]
    ) -> None:
        self._hits[name] += float((label * mask).sum(dtype=np.float64))
        self._known[name] += float(mask.sum(dtype=np.float64))

    def rates(self) -> dict[str, float]:
        return {name: self._hits[name] / n for name, n in self._known.items() if n > 0}


def _check(spec: InputSpec, values: npt.NDArray[np.float32]) -> None:
    finite = np.isfinite(values).all(axis=1)
    if not finite.all():
        names = [name for name, ok in zip(spec.names, finite, strict=True) if not ok]
        raise SnapshotError(f"features {names} hold values that are not finite")
    for feature, column in zip(spec.features, values, strict=True):
        if feature.kind == "category":
            reason = bad_ids(column, feature.buckets)
            if reason:
                raise SnapshotError(f"category {feature.name}: {reason}")


def bad_ids(column: npt.NDArray[np.float32], buckets: int) -> str:
    """Why a column cannot be ids of a category with so many buckets; empty where it can."""
    if column.size == 0:
        return ""
    low, high = float(column.min()), float(column.max())
    if low < 0 or high >= buckets:
        return f"ids run from {low:g} to {high:g}, declared are 0 to {buckets - 1}"
    return "ids must be whole numbers" if (column != np.floor(column)).any() else ""
