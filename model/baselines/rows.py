"""The rows of one split of a snapshot in memory, with the lists that they belong to."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.feed import Snapshot
from model.feed.pyarrow import read_file

Matrix = NDArray[np.float32]
Codes = NDArray[np.int64]

PAGE_HASH = ("page_high", "page_low")
LIST_HASH = ("list_high", "list_low")
"""Two whole numbers below 2^24 that together name a page or a query; -1: the row has none."""

_HALF = 1 << 24
"""Values of a half of a hash: float32 tells whole numbers apart up to 2^24."""


@dataclass(frozen=True)
class SplitMatrix:
    """N rows of a split.

    Attributes:
        features: [N, F], columns in the order of the spec.
        position: [N] rank on the page from 1; 0 never shown.
        labels: [N] by label column.
        page: [N] result page, -1 never shown; None where the snapshot does not say.
        unit: [N] query; None where the snapshot does not say.
    """

    features: Matrix
    position: Matrix
    labels: Mapping[str, Matrix]
    page: Codes | None
    unit: Codes | None


def read_split(snapshot: Snapshot, split: str, max_rows: int) -> SplitMatrix:
    """Read a split, or of a larger one every n-th query with all of its rows.

    Without columns that name the query, the first rows are kept: a snapshot's rows are in random
    order.
    """
    columns = _list_columns(snapshot)
    step = -(-snapshot.count_rows(split) // max_rows)
    parts = []
    for file in snapshot.splits[split]:
        values = read_file(snapshot.folder / file.path, columns)
        unit = _read_codes(values, columns, "list_code", LIST_HASH)
        parts.append(values if unit is None or step == 1 else values[:, unit % step == 0])
    known = "list_code" in columns or LIST_HASH[0] in columns
    return _build_split(snapshot, columns, parts, None if known else max_rows)


def _build_split(
    snapshot: Snapshot, columns: list[str], parts: list[Matrix], most: int | None
) -> SplitMatrix:
    """Put the files' values [columns, rows] together, at most `most` rows; each goes as soon as its
    features are copied, since millions of rows lie in memory only once then."""
    width = len(snapshot.spec.names)
    features = np.empty((sum(part.shape[1] for part in parts), width), np.float32)
    others, at = [], 0
    while parts:
        part = parts.pop(0)
        features[at : at + part.shape[1]] = part[:width].T
        others.append(part[width:].copy())
        at += part.shape[1]
    beside, names = np.concatenate(others, axis=1)[:, :most], columns[width:]
    return SplitMatrix(
        features=features[:most],
        position=beside[names.index("position")],
        labels={name: beside[names.index(name)] for name in snapshot.spec.label_columns},
        page=_read_codes(beside, names, "page_code", PAGE_HASH),
        unit=_read_codes(beside, names, "list_code", LIST_HASH),
    )


def _list_columns(snapshot: Snapshot) -> list[str]:
    spec = snapshot.spec
    codes = ("page_code", "list_code", *PAGE_HASH, *LIST_HASH)
    present = [name for name in codes if name in snapshot.columns]
    return [*spec.names, "position", *spec.label_columns, *present]


def _read_codes(
    rows: Matrix, columns: list[str], code: str, halves: tuple[str, str]
) -> Codes | None:
    """Read the code column, or both halves of the hash as one number."""
    if code in columns:
        codes: Codes = rows[columns.index(code)].astype(np.int64)
        return codes
    if halves[0] not in columns:
        return None
    high, low = (rows[columns.index(name)].astype(np.int64) for name in halves)
    return np.where(high < 0, np.int64(-1), high * _HALF + low)
