"""A training snapshot with planted effects, for tests and benchmarks: no Spark, any size."""

import hashlib
import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

Array = npt.NDArray[np.float64]
TASKS = ("click", "cart", "purchase")


@dataclass(frozen=True)
class Planted:
    """Shape and planted parameters of a generated snapshot.

    Attributes:
        rows: rows of the train and of the validation split.
        files: files of the two splits.
        numerics: numeric features, split evenly between query, item and query_item.
        regions: region names.
        buckets: ids of the category item_type.
        grades: share of the rows that carry a relevance label (fraction).
        relevance: whether the snapshot has relevance labels at all.
        seed: seed of every draw.
    """

    rows: tuple[int, int] = (2_000, 800)
    files: tuple[int, int] = (4, 2)
    numerics: int = 9
    regions: tuple[str, ...] = ("north", "south")
    buckets: int = 8
    grades: float = 0.5
    relevance: bool = True
    seed: int = 5


def build_declarations(planted: Planted) -> list[dict[str, Any]]:
    """Build feature declarations as a manifest carries them: query, item, then query_item ones."""
    tables = ("query", "item", "query_item")
    numeric: dict[str, list[dict[str, Any]]] = {table: [] for table in tables}
    for i in range(planted.numerics):
        table = tables[i % 3]
        numeric[table].append(_declare_feature(f"{table}_{i // 3}", table, regional=i % 4 == 0))
    region = _declare_feature("region_index", "query", "category", True, len(planted.regions) + 1)
    kind = _declare_feature("item_type", "item", "category", False, planted.buckets)
    return [region, *numeric["query"], kind, *numeric["item"], *numeric["query_item"]]


def write_snapshot(folder: Path, planted: Planted = Planted()) -> Path:
    """Write Parquet files (one row group each) and manifest.json; returns `folder`."""
    rng = np.random.default_rng(planted.seed)
    features = build_declarations(planted)
    splits = {}
    for name, rows, files in zip(("train", "validation"), planted.rows, planted.files, strict=True):
        columns = _draw_examples(rng, rows, features, planted)
        splits[name] = _write_split(folder, name, columns, files)
    manifest = {
        "snapshot_version": f"planted-{planted.seed}",
        "conf_hash": "0" * 16,
        "code_version": "source",
        "table_versions": {"training_examples": 0},
        "features": features,
        "tasks": list(TASKS),
        "regions": list(planted.regions),
        "relevance": planted.relevance,
        "splits": splits,
    }
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1), encoding="utf-8")
    return folder


def compute_examination(position: Array) -> Array:
    """Compute planted P(examined) relative to position 1."""
    return 1.0 / np.maximum(position, 1.0)


def _declare_feature(
    name: str, table: str, kind: str = "numeric", regional: bool = False, buckets: int = 0
) -> dict[str, Any]:
    return {
        "name": name,
        "table": table,
        "kind": kind,
        "default": 0.0,
        "regional": regional,
        "buckets": buckets,
        "description": f"planted {kind}",
    }


def _draw_examples(
    rng: np.random.Generator, rows: int, features: Sequence[dict[str, Any]], planted: Planted
) -> dict[str, Array]:
    columns: dict[str, Array] = {}
    for feature in features:
        if feature["kind"] == "category":
            columns[feature["name"]] = rng.integers(1, feature["buckets"], rows).astype(float)
        else:
            columns[feature["name"]] = 3.0 + 2.0 * rng.standard_normal(rows)
    names = [f["name"] for f in features if f["kind"] == "numeric"]
    z = {name: (columns[name] - 3.0) / 2.0 for name in names}
    attraction = z[names[1]] + 0.5 * z[names[-1]] + 0.3 * np.sin(columns["item_type"]) - 0.5
    fit = 1.5 * z[names[-1]] + 0.5 * z[names[0]]
    columns["position"] = rng.integers(1, 11, rows).astype(float)
    columns |= _draw_engagement(rng, attraction, columns["position"])
    return columns | (_draw_grades(rng, fit, planted.grades) if planted.relevance else {})


def _draw_engagement(
    rng: np.random.Generator, attraction: Array, position: Array
) -> dict[str, Array]:
    uniform = rng.random((3, len(position)))
    click = uniform[0] < compute_examination(position) * _compute_sigmoid(attraction)
    cart = click & (uniform[1] < _compute_sigmoid(attraction))
    purchase = cart & (uniform[2] < 0.5)
    steps = {"click": click, "cart": cart, "purchase": purchase}
    labels = {f"label_{task}": hit.astype(float) for task, hit in steps.items()}
    return labels | {f"mask_{task}": np.ones(len(position)) for task in steps}


def _draw_grades(rng: np.random.Generator, fit: Array, share: float) -> dict[str, Array]:
    noisy = fit + rng.logistic(size=len(fit))
    graded = (rng.random(len(fit)) < share).astype(float)
    return {
        "label_ge_1": graded * (noisy > -1.0),
        "label_ge_2": graded * (noisy > 1.0),
        "mask_relevance": graded,
        "weight_relevance": graded,
    }


def _write_split(folder: Path, split: str, columns: dict[str, Array], files: int) -> dict[str, Any]:
    (folder / split).mkdir(parents=True, exist_ok=True)
    table = pa.table({name: values.astype(np.float32) for name, values in columns.items()})
    bounds = np.linspace(0, table.num_rows, files + 1).astype(int)
    entries = []
    for i, (start, end) in enumerate(itertools.pairwise(bounds)):
        path = folder / split / f"part-{i:05d}.parquet"
        part = table.slice(start, end - start)
        pq.write_table(part, path, row_group_size=max(part.num_rows, 1), compression="snappy")
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        entries.append(
            {
                "path": f"{split}/{path.name}",
                "rows": part.num_rows,
                "row_groups": 1,
                "sha256": digest,
            }
        )
    return {"rows": table.num_rows, "files": entries}


def _compute_sigmoid(x: Array) -> Array:
    return np.asarray(1.0 / (1.0 + np.exp(-x)))
