"""Writes an experiment's snapshot: a training snapshot with a test split and codes of its rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from conf.load import section_hash
from features.examples.experiment_rows import CODE_LIMIT, CODES, JUDGED, SPLITS
from features.examples.snapshot import Layout
from jobs.command.version import code_version
from jobs.platform.snapshot import SnapshotOptions, SnapshotWriteError, write_snapshot
from jobs.platform.warehouse import Warehouse

_VERSION = "3"
"""Raised when the code makes other rows from the same conf and data."""

_RELEVANCE = ("label_ge_1", "label_ge_2", "mask_relevance", "weight_relevance")


@dataclass(frozen=True)
class Contents:
    """What an experiment's snapshot holds.

    Attributes:
        rows: split, example_id, the features, position, labels and masks, the codes, judged, grade,
            and the columns of `extra`.
        features: declarations as JSON.
        tasks: engagement tasks from the first step to the last.
        regions: regions[i] has region_index i + 1.
        relevance: whether the rows carry relevance labels.
        extra: further columns and what they mean.
        notes: further entries of the manifest's `data`.
    """

    rows: DataFrame
    features: Sequence[Mapping[str, Any]]
    tasks: Sequence[str]
    regions: Sequence[str]
    relevance: bool
    extra: Mapping[str, str] = field(default_factory=dict)
    notes: Mapping[str, Any] = field(default_factory=dict)


def name_snapshot_folder(warehouse: Warehouse, sections: Sequence[str], data: str) -> Path:
    """Name the folder of the snapshot of these conf sections, seed, split and data."""
    tree = warehouse.conf.tree.model_dump(mode="json")
    chosen = {name: tree[name] for name in ("seed", "split", "training_set", *sections)}
    key = section_hash([_VERSION, warehouse.conf.run_date.isoformat(), chosen, data])
    return warehouse.root / "experiments" / "data" / key


def write_experiment_snapshot(warehouse: Warehouse, contents: Contents, folder: Path) -> Path:
    """Write the snapshot to the folder and return it.

    Raises:
        SnapshotError: no training row, or more distinct keys than float32 can tell apart.
    """
    conf = warehouse.conf
    _require_exact(contents.rows)
    settings = conf.tree.training_set
    options = SnapshotOptions(conf.tree.seed, settings.rows_per_file, settings.compression)
    columns = {**CODES, **JUDGED, **contents.extra}
    header = {
        "conf_hash": conf.hash,
        "code_version": code_version(),
        "table_versions": dict(warehouse.report.inputs),
        "features": list(contents.features),
        "tasks": list(contents.tasks),
        "regions": list(contents.regions),
        "relevance": contents.relevance,
        "columns": columns,
        "data": dict(contents.notes),
    }
    write_snapshot(contents.rows, folder, options, header, _build_layout(contents, columns))
    return folder


def _build_layout(contents: Contents, columns: Mapping[str, str]) -> Layout:
    features = [str(feature["name"]) for feature in contents.features]
    labels = [f"{kind}_{task}" for task in contents.tasks for kind in ("label", "mask")]
    relevance = _RELEVANCE if contents.relevance else ()
    return Layout((*features, "position", *labels, *relevance, *columns), SPLITS)


def _require_exact(rows: DataFrame) -> None:
    largest = rows.agg(*(F.max(code).alias(code) for code in CODES)).first()
    over = (
        {}
        if largest is None
        else {code: value for code, value in largest.asDict().items() if (value or 0) >= CODE_LIMIT}
    )
    if over:
        raise SnapshotWriteError(
            f"codes {over} reach {CODE_LIMIT}: float32 cannot tell them apart; take fewer queries, "
            "pages or items"
        )
