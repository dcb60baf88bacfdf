"""One calibration map an output and region, and how all of them are applied."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from conf.sections.training import CalibrationConf
from model.serving.calibration import Array, Calibrator, Identity, fit_map, from_json
from model.spec import THRESHOLDS

Arrays = dict[str, npt.NDArray[np.float32]]


@dataclass(frozen=True)
class LabelledPredictions:
    """Predictions of one output with their labels, [N] each; weight 0: label unknown."""

    p: Array
    label: Array
    weight: Array

    def select_rows(self, rows: npt.NDArray[np.bool_]) -> "LabelledPredictions":
        """Select some of the rows."""
        return LabelledPredictions(self.p[rows], self.label[rows], self.weight[rows])


@dataclass(frozen=True)
class Calibrators:
    """Maps by output name, and by region name where the region has one of its own.

    Attributes:
        common: map of an output for every region that has none of its own, unknown ones too.
        by_region: output name -> region name -> map.
        regions: regions[i] has id i + 1.
    """

    common: Mapping[str, Calibrator]
    by_region: Mapping[str, Mapping[str, Calibrator]]
    regions: tuple[str, ...]

    def apply(self, raw: Mapping[str, npt.NDArray[np.float32]], region: npt.NDArray[Any]) -> Arrays:
        """Calibrate the probabilities [N] by output, so that P(grade >= 1) >= P(grade >= 2) still
        holds.

        The two grade maps are fitted apart and may cross; P(grade >= 2) is then cut at
        P(grade >= 1).

        Args:
            raw: predicted probabilities [N] by output.
            region: [N] region ids, 0 unknown.
        """
        rows_of = {int(i): np.flatnonzero(region == i) for i in _list_present(region)}
        out = {name: self._calibrate_output(name, p, rows_of) for name, p in raw.items()}
        ge_1, ge_2 = (f"p_{grade}" for grade in THRESHOLDS)
        if ge_2 in out:
            out[ge_2] = np.minimum(out[ge_2], out[ge_1])
        return out

    def to_json(self) -> dict[str, Any]:
        """Give plain JSON for `from_json`."""
        return {
            name: {
                "common": self.common[name].to_json(),
                "regions": {r: c.to_json() for r, c in self.by_region.get(name, {}).items()},
            }
            for name in self.common
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any], regions: tuple[str, ...]) -> "Calibrators":
        """Give the maps that `to_json` described.

        Raises:
            ValueError: a map cannot be read, or belongs to a region that is not in `regions`.
        """
        common = {name: from_json(entry["common"]) for name, entry in content.items()}
        by_region = {
            name: {region: from_json(c) for region, c in entry["regions"].items()}
            for name, entry in content.items()
        }
        unknown = {r for maps in by_region.values() for r in maps} - set(regions)
        if unknown:
            raise ValueError(f"calibrators of unknown regions {sorted(unknown)}")
        return cls(common, by_region, regions)

    def _calibrate_output(
        self,
        name: str,
        p: npt.NDArray[np.float32],
        rows_of: Mapping[int, npt.NDArray[np.intp]],
    ) -> npt.NDArray[np.float32]:
        if len(rows_of) < 2 or not self.by_region.get(name):
            return self._choose_map(name, next(iter(rows_of), 0))(p).astype(np.float32)
        out = np.empty(len(p), np.float32)
        for region, rows in rows_of.items():
            out[rows] = self._choose_map(name, region)(p[rows])
        return out

    def _choose_map(self, name: str, region: int) -> Calibrator:
        declared = 1 <= region <= len(self.regions)
        regional = self.by_region.get(name, {}).get(self.regions[region - 1]) if declared else None
        return self.common[name] if regional is None else regional


def _list_present(region: npt.NDArray[Any]) -> list[Any]:
    """List the ids that stand in [N] region ids. The rows of a query have one region, so most rows
    have that of the row before: only the first of each run is sorted."""
    return list(np.unique(region[np.flatnonzero(np.diff(region, prepend=np.nan))]))


def fit_calibrators(
    by_output: Mapping[str, LabelledPredictions],
    region: npt.NDArray[Any],
    regions: tuple[str, ...],
    conf: CalibrationConf,
) -> Calibrators:
    """Fit every output, and every region that has enough positives and negatives.

    Args:
        by_output: validation predictions and labels by output.
        region: [N] region ids of the same rows.
    """
    common: dict[str, Calibrator] = {}
    by_region: dict[str, dict[str, Calibrator]] = {}
    for name, rows in by_output.items():
        common[name] = fit_map(rows.p, rows.label, rows.weight, conf) or Identity()
        by_region[name] = {}
        if conf.by_region and conf.method != "none" and len(regions) > 1:
            for i, label in enumerate(regions, start=1):
                part = rows.select_rows(region == i)
                regional = fit_map(part.p, part.label, part.weight, conf)
                if regional is not None:
                    by_region[name][label] = regional
    return Calibrators(common, by_region, regions)


def build_identities(outputs: tuple[str, ...], regions: tuple[str, ...]) -> Calibrators:
    """Build calibrators that change nothing."""
    return Calibrators({name: Identity() for name in outputs}, {}, regions)
