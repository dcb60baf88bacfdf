"""Figures as sums by unit (query or session), so that any draw of units gives the figure again."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from model.arrays import Floats, Ints
from model.evaluation.metrics import (
    assign_equal_mass_groups,
    compute_auc,
    compute_calibration_error,
    compute_histogram_auc,
    divide_sums,
)

Kind = Literal["mean", "auc", "calibration", "constant"]
ENGAGEMENT, CHANGE = "value.engagement", "change.engagement"
_AUC_BINS = 500
"""Bins of the replicates' AUC, of equal mass: ties within a bin change it by less than 1 / 500."""
_GROUPS = 15
"""Groups of the calibration error (count): 15, as in Guo et al. (ICML 2017)."""


@dataclass(frozen=True)
class Figure:
    """One metric of one region, with the sums from which any draw of units computes it.

    Attributes:
        value: the figure over all units; nan where it says nothing.
        kind: how `sums` become the figure.
        sums: [U, K] sums over the rows of each unit, U units of the split.
        units: units that have a row behind it (count).
    """

    metric: str
    region: str
    value: float
    kind: Kind
    sums: sparse.csr_matrix
    units: int

    def subtract(self, other: "Figure", metric: str) -> "Figure":
        """Subtract another mean over the same lists; the difference has a name of its own.

        Raises:
            ValueError: a figure is no mean, or their lists differ: no unit pairs them.
        """
        weight, other_weight = self.sums[:, [1]].toarray(), other.sums[:, [1]].toarray()
        if {self.kind, other.kind} != {"mean"} or not np.array_equal(weight, other_weight):
            raise ValueError(f"{self.metric} and {other.metric} are no means over the same lists")
        total = (self.sums[:, [0]] - other.sums[:, [0]]).toarray()
        sums = sparse.csr_matrix(np.hstack([total, weight]))
        return Figure(metric, self.region, self.value - other.value, "mean", sums, self.units)

    def compute_replicates(self, draws: Floats) -> Floats:
        """Compute the figure in each replicate, [R]; `draws` [R, U] says how often a unit was
        drawn."""
        if self.kind == "constant":
            return np.full(len(draws), self.value)
        drawn = np.asarray((self.sums.T @ draws.T).T, np.float64)  # [R, K]
        if self.kind == "mean":
            return divide_sums(drawn[:, 0], drawn[:, 1])
        if self.kind == "auc":
            negatives, positives = np.split(drawn, 2, axis=1)
            return compute_histogram_auc(positives, negatives)
        counts, expected, observed = np.split(drawn, 3, axis=1)
        return compute_calibration_error(counts, expected, observed, np.arange(counts.shape[1]))


def compute_engagement_changes(picked: Sequence[Figure], without: Sequence[Figure]) -> list[Figure]:
    """Compute what relevance costs one model's engagement figures: `change.` for `value.` in the
    name.

    Args:
        picked: figures of the order with a relevance weight.
        without: of the same model's order without relevance.
    """
    other = {(f.metric, f.region): f for f in without}
    return [
        f.subtract(other[f.metric, f.region], f.metric.replace(ENGAGEMENT, CHANGE))
        for f in picked
        if f.metric.startswith(ENGAGEMENT) and f.kind == "mean"
    ]


@dataclass(frozen=True)
class UnitRows:
    """The rows behind some figures: unit [N] from 0, `size` units in the split, and a region."""

    unit: Ints
    size: int
    region: str

    def build_mean(self, metric: str, values: Floats, weight: Floats | None = None) -> Figure:
        """Build the weighted mean of the values [N]; a value that is nan counts nowhere."""
        finite = np.isfinite(values)
        each = np.where(finite, 1.0 if weight is None else weight, 0.0)
        total = np.where(finite, values, 0.0) * each
        sums = self._sum_units(np.stack([total, each], axis=1))
        value = float(divide_sums(np.sum(total), np.sum(each)))
        return self._build_figure(metric, value, "mean", sums, each > 0)

    def build_ratio(self, metric: str, over: Floats, under: Floats) -> Figure:
        """Divide the sum of `over` [N] by the sum of `under` [N], as a self-normalised estimate
        does."""
        value = float(divide_sums(np.asarray(np.sum(over)), np.asarray(np.sum(under))))
        sums = self._sum_units(np.stack([over, under], axis=1))
        return self._build_figure(metric, value, "mean", sums, under != 0)

    def build_auc(self, metric: str, p: Floats, label: Floats) -> Figure:
        """Build the AUC of p [N] for labels [N]; its replicates use bins of equal mass."""
        positive = label > 0.5
        groups = assign_equal_mass_groups(np.ones(len(p)), _AUC_BINS)
        bin_ = np.empty(len(p), np.int64)
        order = np.argsort(p, kind="stable")
        bin_[order] = groups
        _, tie_starts = np.unique(p[order], return_index=True)
        bin_[order] = groups[tie_starts][
            np.searchsorted(p[order][tie_starts], p[order])
        ]  # ties share one
        column = bin_ + _AUC_BINS * positive
        sums = self._sum_cells(column, np.ones(len(p)), 2 * _AUC_BINS)
        return self._build_figure(metric, compute_auc(p, label), "auc", sums, np.ones(len(p), bool))

    def build_calibration(self, metric: str, p: Floats, label: Floats, weight: Floats) -> Figure:
        """Build the calibration error of p [N] over groups of equal mass."""
        groups = np.empty(len(p), np.int64)
        groups[np.argsort(p, kind="stable")] = assign_equal_mass_groups(np.ones(len(p)), _GROUPS)
        parts = [
            self._sum_cells(groups, weight * column, _GROUPS)
            for column in (np.ones(len(p)), p, label)
        ]
        count, expected, observed = (np.asarray(part.sum(axis=0)).ravel() for part in parts)
        value = float(compute_calibration_error(count, expected, observed, np.arange(_GROUPS)))
        return self._build_figure(
            metric, value, "calibration", sparse.hstack(parts, format="csr"), weight > 0
        )

    def build_constant(self, metric: str, value: float) -> Figure:
        """Build a figure that no draw of units changes, such as a picked weight."""
        return Figure(metric, self.region, value, "constant", sparse.csr_matrix((self.size, 0)), 0)

    def select_rows(self, rows: NDArray[np.bool_], region: str | None = None) -> "UnitRows":
        """Select some of the rows, for another region if one is named."""
        return UnitRows(self.unit[rows], self.size, region or self.region)

    def _build_figure(
        self,
        metric: str,
        value: float,
        kind: Kind,
        sums: sparse.csr_matrix,
        counted: NDArray[np.bool_],
    ) -> Figure:
        units = len(np.unique(self.unit[counted]))
        return Figure(metric, self.region, value, kind, sums, units)

    def _sum_units(self, columns: Floats) -> sparse.csr_matrix:
        summed = np.zeros((self.size, columns.shape[1]))
        np.add.at(summed, self.unit, columns)
        return sparse.csr_matrix(summed)

    def _sum_cells(self, column: Ints, values: Floats, width: int) -> sparse.csr_matrix:
        """Sum the values by unit and column, [size, width]."""
        return sparse.csr_matrix((values, (self.unit, column)), shape=(self.size, width))
