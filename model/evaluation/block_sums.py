"""Sums of query blocks as arrays, by region, ranker and metric: what intervals are made of."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from model.evaluation.list_sums import COUNTS
from model.evaluation.steady import steady_sums

ALL = "all"
_KEYS = ["region", "ranker", "metric"]


@dataclass(frozen=True)
class Cell:
    """One figure's sums by block, [blocks] each, and counts of lists.

    The figure is the sum of `totals` over the sum of `denominators`; of a mean over queries these
    are the `queries`.
    """

    totals: NDArray[np.float64]
    denominators: NDArray[np.float64]
    queries: NDArray[np.float64]
    lists: dict[str, int] = field(default_factory=dict)

    @property
    def query_count(self) -> int:
        """Queries behind the figure."""
        return int(self.queries.sum())


class BlockSums:
    """Cells by (region, ranker, metric); region "all" is the sum over the regions."""

    def __init__(self, sums: pd.DataFrame, blocks: int) -> None:
        """Take what `jobs.reports.list_sums.sum_blocks` gives, collected."""
        sums = steady_sums(sums, [*_KEYS, "block"], ("total", "denominator"))
        self._blocks = blocks
        self.metrics = sorted(set(sums["metric"]))
        self.regions = [ALL, *sorted(set(sums["region"]))]
        self._cells = {
            tuple(map(str, key)): self._build_cell(part) for key, part in sums.groupby(_KEYS)
        }
        for key, part in sums.groupby(["ranker", "metric"]):
            self._cells[ALL, str(key[0]), str(key[1])] = self._build_cell(part)

    def get(self, region: str, ranker: str, metric: str) -> Cell | None:
        """Give the cell, or None where no list of it was seen."""
        return self._cells.get((region, ranker, metric))

    def add(self, key: tuple[str, str, str], cell: Cell) -> None:
        """Put in a figure that is made of others."""
        self._cells[key] = cell
        if key[2] not in self.metrics:
            self.metrics.append(key[2])

    def list_rankers(self, metric: str) -> list[str]:
        """List rankers that have the metric."""
        return sorted({r for _, r, m in self._cells if m == metric})

    def _build_cell(self, part: pd.DataFrame) -> Cell:
        at = part["block"].to_numpy(np.int64)
        return Cell(
            self._sum_by_block(at, part["total"]),
            self._sum_by_block(at, part["denominator"]),
            self._sum_by_block(at, part["queries"]),
            {name: int(part[name].sum()) for name in COUNTS},
        )

    def _sum_by_block(self, at: NDArray[np.int64], values: "pd.Series[Any]") -> NDArray[np.float64]:
        weights = values.to_numpy(np.float64)
        return np.asarray(np.bincount(at, weights, minlength=self._blocks), np.float64)
