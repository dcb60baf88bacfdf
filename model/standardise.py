"""Means and spreads of the inputs and label rates, in one pass over the training split."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from model.feed import Snapshot, TrainingSnapshotError, load_engine
from model.spec import InputSpec
from model.split_sums import GradedSample, LabelSums, Moments, RegionCounts, Sample


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
        fit_line: regressions on the fit features (`model.split_sums.fit_regressions`) of the
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

    def compute_edges(self, name: str, bins: int) -> list[float]:
        """Compute the rising edges of at most `bins` bins of a numeric feature, of about equal
        mass.

        A value that many rows share takes several quantiles and is an edge once, so there may be
        fewer; a feature that does not vary has none.
        """
        grid = np.asarray(self.quantiles.get(name, ()), np.float64)
        if not len(grid):
            return []
        places = np.round(np.linspace(0, len(grid) - 1, bins + 1)).astype(int)
        return [float(edge) for edge in np.unique(grid[places])]

    def list_unseen(self, regions: Sequence[str]) -> tuple[str, ...]:
        """List the declared regions that no training row is of.

        Args:
            regions: regions[i] has id i + 1.
        """
        if not self.region_rows:
            return ()
        return tuple(r for i, r in enumerate(regions, start=1) if not self.region_rows[i])

    def to_json(self) -> dict[str, Any]:
        """Give plain JSON; `Standardisation(**content)` gives it back."""
        return asdict(self)


def measure_inputs(snapshot: Snapshot) -> Standardisation:
    """Measure the inputs in one pass over the train split, file by file.

    Raises:
        SnapshotError: a feature is not finite, a category's id is not a whole number below its
            declared buckets, or no label of any task is known.
    """
    spec = snapshot.spec
    features = len(spec.features)
    columns = [*spec.names, *spec.label_columns]
    moments = Moments(0, np.zeros(features), np.zeros(features))
    labels, regions, sample = LabelSums(spec), RegionCounts(spec), Sample()
    graded = GradedSample(spec)
    paths = [snapshot.folder / file.path for file in snapshot.splits["train"]]
    for group in load_engine("pyarrow")(paths, columns, None):
        _check_values(spec, group[:features])
        moments.merge(group[:features].astype(np.float64))
        sample.add(group[:features])
        by_label = dict(zip(spec.label_columns, group[features:], strict=True))
        labels.add(by_label)
        graded.add(group, by_label)
        regions.add(group)
    if not labels.compute_rates():
        raise TrainingSnapshotError(
            "no label of any task is known in split train: nothing to learn"
        )
    spread = np.sqrt(moments.squares / max(moments.count, 1))
    spread[spread <= 1e-6] = 1.0
    numeric = [i for i, f in enumerate(spec.features) if f.kind == "numeric"]
    return Standardisation(
        mean={spec.names[i]: float(moments.mean[i]) for i in numeric},
        std={spec.names[i]: float(spread[i]) for i in numeric},
        rates=labels.compute_rates(),
        rows=moments.count,
        region_rows=regions.rows.tolist(),
        soft_labels=labels.soft,
        quantiles=sample.compute_quantiles({i: spec.names[i] for i in numeric}),
        fit_line=graded.fit_line(moments.mean, spread),
    )


def _check_values(spec: InputSpec, values: npt.NDArray[np.float32]) -> None:
    finite = np.isfinite(values).all(axis=1)
    if not finite.all():
        names = [name for name, ok in zip(spec.names, finite, strict=True) if not ok]
        raise TrainingSnapshotError(f"features {names} hold values that are not finite")
    for feature, column in zip(spec.features, values, strict=True):
        if feature.kind == "category":
            reason = explain_bad_ids(column, feature.buckets)
            if reason:
                raise TrainingSnapshotError(f"category {feature.name}: {reason}")


def explain_bad_ids(column: npt.NDArray[np.float32], buckets: int) -> str:
    """Tell why a column cannot be ids of a category with so many buckets; empty where it can."""
    if column.size == 0:
        return ""
    low, high = float(column.min()), float(column.max())
    if low < 0 or high >= buckets:
        return f"ids run from {low:g} to {high:g}, declared are 0 to {buckets - 1}"
    return "ids must be whole numbers" if (column != np.floor(column)).any() else ""
