"""What a trained ranker predicts on a split, row by row, with labels and lists; kept as Parquet."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray

from model.arrays import Floats, Ints
from model.feed import Snapshot, TrainingSnapshotError
from model.feed.base import POSITION
from model.files import new_file
from model.ranker import Ranker
from model.serving.calibrators import LabelledPredictions
from model.spec import RELEVANCE, THRESHOLDS, InputSpec

LIST, PAGE, UNIT, ITEM = "list_code", "page_code", "unit_code", "item_code"
JUDGED, GRADE, PROPENSITY = "judged", "grade", "propensity"
TRUTH, BLIND = "p_true_", "p_blind_"
LOGGED, FIRST = "logged", "first"
_OPTIONAL = {PAGE: LIST, UNIT: LIST, ITEM: None, JUDGED: None, GRADE: None, PROPENSITY: None}
_BATCH = 8_192
"""Rows of a forward pass: the hidden layers of so many stay small in memory (count)."""


@dataclass(frozen=True)
class Predictions:
    """Rows of a split in the order of its files, [N] each.

    Attributes:
        spec: features, tasks and regions of the snapshot.
        columns: by name: `logged.p_<x>` predicted at the logged position and `first.p_<x>` at
            position 1 (both not calibrated), the label columns of the spec, region, position,
            list_code, page_code, unit_code, item_code, judged, grade, propensity;
            p_true_<task> and p_blind_<task> where a market planted them.
    """

    spec: InputSpec
    columns: Mapping[str, Floats]

    @property
    def rows(self) -> int:
        """Rows predicted (count)."""
        return len(self.columns[LIST])

    def get_probability(self, output: str, position: str = FIRST) -> Floats:
        """Give the probabilities of an output at the position LOGGED or FIRST, [N]."""
        return self.columns[f"{position}.{output}"]

    def get_codes(self, name: str) -> Ints:
        """Give a column of whole numbers, [N]."""
        return self.columns[name].astype(np.int64)

    def get_labelled(self, output: str, position: str = LOGGED) -> LabelledPredictions:
        """Give the predictions of an output with labels and their weights."""
        name = output.removeprefix("p_")
        weight = (
            self.columns[f"mask_{RELEVANCE}"] * self.columns[f"weight_{RELEVANCE}"]
            if name in THRESHOLDS
            else self.columns[f"mask_{name}"]
        )
        return LabelledPredictions(
            self.get_probability(output, position), self.columns[f"label_{name}"], weight
        )

    def save(self, path: Path) -> None:
        """Write the columns as float32, so that a reader sees all of them or no file."""
        table = pa.table({name: c.astype(np.float32) for name, c in self.columns.items()})
        with new_file(path) as partial:
            pq.write_table(table, partial, compression="zstd")


def load_predictions(path: Path, spec: InputSpec) -> Predictions:
    """Load what `Predictions.save` wrote."""
    table = pq.read_table(path)
    return Predictions(spec, {name: _read_column(table, name) for name in table.column_names})


@dataclass(frozen=True)
class SplitRows:
    """A split before anything is predicted.

    Attributes:
        features: [N, F] input matrix.
        position: [N] logged position.
        labelled: all columns of the predictions but the predicted ones.
    """

    features: NDArray[np.float32]
    position: NDArray[np.float32]
    labelled: Predictions

    def with_columns(self, predicted: Mapping[str, Floats]) -> Predictions:
        """Add the predicted columns [N] by name, which makes the predictions."""
        return Predictions(self.labelled.spec, {**predicted, **self.labelled.columns})


def predict(ranker: Ranker, snapshot: Snapshot, split: str) -> Predictions:
    """Predict every row of a split, at its logged position and at position 1.

    Raises:
        SnapshotError: as `read_split_rows`.
    """
    rows = read_split_rows(snapshot, split)
    return rows.with_columns(_predict_rows(ranker, rows.features, rows.position))


def read_split_rows(snapshot: Snapshot, split: str) -> SplitRows:
    """Read every row of a split.

    A snapshot without page_code or unit_code has one page per list, and the list as its unit.

    Raises:
        SnapshotError: the split or the column list_code is missing.
    """
    if not snapshot.splits.get(split):
        raise TrainingSnapshotError(f"snapshot {snapshot.folder} has no rows in split {split}")
    spec = snapshot.spec
    table = pa.concat_tables([_read_table(snapshot, f.path) for f in snapshot.splits[split]])
    features = np.stack([_read_column(table, name) for name in spec.names], axis=1).astype(
        np.float32
    )
    position = _read_column(table, POSITION).astype(np.float32)
    columns = {name: _read_column(table, name) for name in (*spec.label_columns, LIST, POSITION)}
    for name, default in _OPTIONAL.items():
        if name in table.column_names:
            columns[name] = _read_column(table, name)
        elif default is not None:
            columns[name] = columns[default]
    columns |= {name: _read_column(table, name) for name in table.column_names if _is_planted(name)}
    columns["region"] = _read_regions(spec, features)
    return SplitRows(features, position, Predictions(spec, columns))


def _read_table(snapshot: Snapshot, path: str) -> pa.Table:
    file = snapshot.folder / path
    names = pq.read_schema(file).names
    if LIST not in names:
        raise TrainingSnapshotError(f"snapshot {snapshot.folder} has no column {LIST}")
    wanted = [*snapshot.spec.names, *snapshot.spec.label_columns, POSITION, LIST]
    more = [name for name in names if name in _OPTIONAL or _is_planted(name)]
    return pq.read_table(file, columns=[*wanted, *more])


def _is_planted(name: str) -> bool:
    return name.startswith((TRUTH, BLIND))


def _predict_rows(
    ranker: Ranker, features: NDArray[np.float32], position: NDArray[np.float32]
) -> dict[str, Floats]:
    parts: dict[str, list[NDArray[np.float32]]] = {}
    with torch.inference_mode():
        for start in range(0, len(features), _BATCH):
            rows = slice(start, start + _BATCH)
            values, shown = torch.from_numpy(features[rows]), torch.from_numpy(position[rows])
            by_task = ranker.represent(values)
            at = by_task if ranker.position_input is None else ranker.represent(values, shown)
            logged = ranker.read_out(at, shown)
            for kind, read in ((LOGGED, logged), (FIRST, ranker.read_out(by_task))):
                for name, p in read.items():
                    parts.setdefault(f"{kind}.{name}", []).append(p.numpy())
    return {name: np.concatenate(pieces).astype(np.float64) for name, pieces in parts.items()}


def _read_regions(spec: InputSpec, features: NDArray[np.float32]) -> Floats:
    if spec.region_position is None:
        return np.zeros(len(features))
    return features[:, spec.region_position].astype(np.float64)


def _read_column(table: pa.Table, name: str) -> Floats:
    return np.asarray(table.column(name).to_numpy(), np.float64)
