"""Generated scoring rows and a model of the default size for the scoring bench."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from conf.load import ResolvedConf
from features.contracts import SCORING_ROWS
from features.declarations import ITEM_LEVEL, PAIR_LEVEL, QUERY_LEVEL, declare_features
from features.spec import Feature, spec_json
from jobs.platform.runner import open_warehouse
from model.ranker import build_ranker
from model.serving.artifact import Artifact, save_model
from model.serving.calibrators import Calibrators, LabelledPredictions, fit_calibrators
from model.spec import InputSpec
from model.standardise import Standardisation

CANDIDATE_LEVEL = (*ITEM_LEVEL, *PAIR_LEVEL)
NAMES = ("query_id", "region", "item_ids", "query_values", "candidate_values")
SCHEMA = (
    "query_id string, region string, item_ids array<string>, query_values array<float>, "
    "candidate_values array<float>"
)
_BATCH = 128
"""Queries generated together: a batch of Arrow stays small."""


def write_inputs(spark: SparkSession, conf: ResolvedConf, queries: int, candidates: int) -> None:
    """Write `queries` scoring rows of `candidates` each, and an untrained model."""
    warehouse, _ = open_warehouse(spark, conf, "prepare")
    ids = spark.range(0, queries, 1, numPartitions=8)
    made = ids.mapInArrow(_build_generator(conf, candidates), SCHEMA)
    warehouse.replace_run(SCORING_ROWS, made.withColumn("run_date", F.lit(conf.run_date)))
    torch.manual_seed(conf.tree.seed)
    spec = _build_spec(conf)
    scale = Standardisation(dict.fromkeys(spec.names, 0.5), dict.fromkeys(spec.names, 0.3), {}, 1)
    ranker = build_ranker(spec, scale, conf.tree.model)
    artifact = Artifact(ranker, scale, conf.tree.model, _fit_calibrators(spec, conf))
    save_model(artifact, warehouse.model_dir())


def _build_spec(conf: ResolvedConf) -> InputSpec:
    return InputSpec.from_json(
        {
            "features": spec_json(declare_features(conf.tree)),
            "tasks": ["click", "cart", "purchase"],
            "regions": conf.tree.regions,
        }
    )


def _fit_calibrators(spec: InputSpec, conf: ResolvedConf) -> Calibrators:
    """Fit a map per output and region, as a trained model has them."""
    draws = np.random.default_rng(conf.tree.seed)
    rows = 20_000
    p = draws.random(rows)
    labelled = LabelledPredictions(p, (draws.random(rows) < p).astype(np.float64), np.ones(rows))
    region = draws.integers(1, len(spec.regions) + 1, rows)
    return fit_calibrators(
        dict.fromkeys(spec.outputs, labelled), region, spec.regions, conf.tree.calibration
    )


def _build_generator(
    conf: ResolvedConf, candidates: int
) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    buckets = {feature.name: feature.buckets for feature in declare_features(conf.tree)}
    regions = list(conf.tree.regions)

    def generate(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            ids = batch.column(0).to_numpy()
            for start in range(0, len(ids), _BATCH):
                yield _generate_rows(ids[start : start + _BATCH], candidates, buckets, regions)

    return generate


def _generate_rows(
    ids: NDArray[np.int64], candidates: int, buckets: dict[str, int], regions: list[str]
) -> pa.RecordBatch:
    draws = np.random.default_rng(int(ids[0]))
    pairs = len(ids) * candidates
    items = [f"item-{i:07d}" for i in draws.integers(0, 10_000_000, pairs)]
    columns = [
        pa.array([f"query-{i:010d}" for i in ids]),
        pa.array([regions[i % len(regions)] for i in ids]),
        _build_lists(items, candidates),
        _build_lists(_draw_values(QUERY_LEVEL, len(ids), buckets, draws), len(QUERY_LEVEL)),
        _build_lists(
            _draw_values(CANDIDATE_LEVEL, pairs, buckets, draws), candidates * len(CANDIDATE_LEVEL)
        ),
    ]
    return pa.RecordBatch.from_arrays(columns, names=list(NAMES))


def _draw_values(
    features: Sequence[Feature], rows: int, buckets: dict[str, int], draws: np.random.Generator
) -> NDArray[np.float32]:
    """Draw values, [rows * features], one row after the other."""
    values = draws.random((rows, len(features)), dtype=np.float32)
    for i, feature in enumerate(features):
        if feature.kind == "category":
            values[:, i] = np.floor(values[:, i] * buckets[feature.name])
    return values.reshape(-1)


def _build_lists(values: Any, width: int) -> pa.Array:
    """Build lists of `width` values each."""
    flat = pa.array(values)
    offsets = pa.array(np.arange(0, len(flat) + 1, width, dtype=np.int32))
    return pa.ListArray.from_arrays(offsets, flat)
