"""What tests of the jobs share: tables that are written once, and a labeler that is fitted once."""

import datetime as dt
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from conf.load import SIMULATED, ResolvedConf, load_conf
from conf.schema import Conf
from conf.sections.model import ModelConf
from features.contracts import (
    CANDIDATES,
    IMPRESSIONS,
    ITEM_FEATURES,
    QUERIES,
    QUERY_FEATURES,
    QUERY_ITEM_FEATURES,
    RELEVANCE_LABELS,
    Table,
)
from features.declarations import ITEM_LEVEL, PAIR_LEVEL, QUERY_LEVEL, declare_features
from features.own.declared import VALUES
from features.spec import Feature, spec_json
from jobs import admit_labeler
from jobs.platform.report import JobReport
from jobs.platform.runner import open_warehouse
from jobs.platform.warehouse import Warehouse
from model.ranker import build_ranker
from model.serving.artifact import Artifact, save_model
from model.serving.calibrators import build_identities
from model.spec import InputSpec
from model.standardise import Standardisation
from tests.jobs.labeling_market import conf_of, fit_labeler
from tests.jobs.tiny_source import Go, ingest_market

RUN = dt.date(2026, 3, 1)
QUERIES_, ITEMS, DAYS = 10, 5, 3


@dataclass(frozen=True)
class TinyRun:
    """A warehouse with inputs: 10 queries (bucket = number), 5 items, 3 days of full pages.

    Item i0..i3 are shown on every page; i4 is a candidate and labelled, and never shown.
    """

    spark: SparkSession
    root: str

    def conf(self, *settings: str, dry_run: bool = False) -> ResolvedConf:
        """A conf over this warehouse."""
        fixed = [f"storage.root={self.root}", "tracking.mlflow=false", "regions=[us, fr]"]
        return load_conf([SIMULATED], settings=[*fixed, *settings], dry_run=dry_run)

    def warehouse(self, *settings: str) -> Warehouse:
        """The warehouse under that conf."""
        return open_warehouse(self.spark, self.conf(*settings), "test")[0]


@pytest.fixture(scope="session")
def tiny_run(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> TinyRun:
    """Inputs of the training set and of scoring, and an untrained model."""
    run = TinyRun(spark, str(tmp_path_factory.mktemp("tiny") / "warehouse"))
    warehouse = run.warehouse()
    _write(warehouse, QUERIES, [_query(q) for q in range(QUERIES_)], "query_id IS NOT NULL")
    shown = [_shown(q, d, i) for q in range(QUERIES_) for d in range(1, DAYS + 1) for i in range(4)]
    _write(warehouse, IMPRESSIONS, shown, "event_date < DATE'2026-03-01'")
    labels = [_label(q, i) for q in range(QUERIES_) for i in (0, 4)]
    _write(warehouse, RELEVANCE_LABELS, labels, "query_id IS NOT NULL")
    candidates = [_candidate(q, i) for q in range(QUERIES_) for i in range(ITEMS)]
    _write(warehouse, CANDIDATES, candidates)
    _write_features(warehouse)
    save_untrained(warehouse)
    return run


def save_untrained(warehouse: Warehouse, seed: int = 1) -> str:
    """An untrained model in the place of the run date's; returns its version."""
    torch.manual_seed(seed)
    tree: Conf = warehouse.conf.tree
    spec = InputSpec.from_json(
        {
            "features": spec_json(declare_features(tree)),
            "tasks": ["click", "cart", "purchase"],
            "regions": tree.regions,
        }
    )
    scale = Standardisation(dict.fromkeys(spec.names, 0.0), dict.fromkeys(spec.names, 1.0), {}, 1)
    conf = ModelConf(hidden=(8,), tower=(4,))
    ranker = build_ranker(spec, scale, conf)
    calibrators = build_identities(spec.outputs, spec.regions)
    return save_model(Artifact(ranker, scale, conf, calibrators), warehouse.model_dir())


def _region(query: int) -> str:
    return "us" if query % 2 else "fr"


def _query(query: int) -> dict[str, Any]:
    return {
        "query_id": f"q{query}",
        "query_text": f"text {query}",
        "region": _region(query),
        "bucket": query,
        "dataset": "test",
        "simulated": True,
    }


def _shown(query: int, days_ago: int, item: int) -> dict[str, Any]:
    at = dt.datetime(2026, 3, 1, 12) - dt.timedelta(days=days_ago)
    return {
        "search_id": f"s{query}_{days_ago}",
        "query_id": f"q{query}",
        "item_id": f"i{item}",
        "region": _region(query),
        "position": item + 1,
        "event_time": at,
        "known_at": at,
        "event_date": at.date(),
        "price": 1.0,
        "clicked": item == 0,
        "carted": item == 0 and days_ago == 3,
        "purchased": False,
        "dataset": "test",
        "simulated": True,
    }


def _label(query: int, item: int) -> dict[str, Any]:
    return {
        "query_id": f"q{query}",
        "item_id": f"i{item}",
        "source": "human",
        "labeler_version": "v1",
        "grade": 2 if item == 0 else 0,
        "p_ge_1": float(item == 0),
        "p_ge_2": float(item == 0),
        "simulated": False,
    }


def _candidate(query: int, item: int) -> dict[str, Any]:
    return {
        "run_date": RUN,
        "query_id": f"q{query}",
        "region": _region(query),
        "item_id": f"i{item}",
        "from_log": item < 4,
        "from_judgment": item in (0, 4),
        "from_retrieval": item == 1,
    }


def _write(
    warehouse: Warehouse,
    table: Table,
    rows: list[dict[str, Any]],
    where: str = "run_date = DATE'2026-03-01'",
) -> None:
    schema = ", ".join(f"`{c.name}` {c.type}" for c in table.columns)
    values = [tuple(row.get(name) for name in table.column_names) for row in rows]
    warehouse.replace(table, warehouse.spark.createDataFrame(values, schema), where)


def _write_features(warehouse: Warehouse) -> None:
    days = [RUN - dt.timedelta(days=d) for d in range(DAYS + 1)]
    queries = [f"q{q}" for q in range(QUERIES_)]
    items = [f"i{i}" for i in range(ITEMS)]
    for table, features, keys, names in (
        (
            QUERY_FEATURES,
            QUERY_LEVEL,
            [(d, q, "any") for d in days for q in queries],
            "query_id string, region string",
        ),
        (
            ITEM_FEATURES,
            ITEM_LEVEL,
            [(d, i, r) for d in days for i in items for r in ("us", "fr")],
            "item_id string, region string",
        ),
        (
            QUERY_ITEM_FEATURES,
            PAIR_LEVEL,
            [(d, q, i) for d in days for q in queries for i in items],
            "query_id string, item_id string",
        ),
    ):
        frame = warehouse.spark.createDataFrame(keys, f"as_of_date date, {names}")
        drawn = {f.name: _drawn(f, table.key[1:]) for f in features}
        beside = {"run_date": F.lit(RUN), "own": F.lit(None).cast(VALUES)}
        warehouse.replace_run(table, frame.withColumns(drawn | beside))


def _drawn(feature: Feature, key: tuple[str, ...]) -> Any:
    """A value that depends on nothing but the row's key and the feature."""
    drawn = F.pmod(F.xxhash64(F.lit(feature.name), *key), F.lit(1_000))
    return (drawn % 3 if feature.kind == "category" else drawn / 1_000).cast("float")


@pytest.fixture
def retrain() -> Callable[[Warehouse, int], str]:
    """Puts another untrained model in the place of the run date's."""
    return save_untrained


@pytest.fixture(scope="session")
def ingested(spark: SparkSession) -> Go:
    """Runs ingest with a source that gives the rows of a Market."""
    return partial(ingest_market, spark)


@pytest.fixture(scope="session")
def fitted(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, JobReport]:
    """A warehouse with a labeler that waits for the gate, and the report of its fit; a test that
    changes it takes a copy."""
    root = tmp_path_factory.mktemp("labeling") / "warehouse"
    return root, fit_labeler(spark, root)


@pytest.fixture(scope="session")
def admitted(spark: SparkSession, fitted: tuple[Path, JobReport]) -> Path:
    """The warehouse after the gate, nothing labelled yet."""
    root = fitted[0].with_name("admitted")
    shutil.copytree(fitted[0], root)
    admit_labeler.JOB.run(spark, conf_of(root))
    return root


@pytest.fixture
def fresh(admitted: Path, tmp_path: Path) -> Path:
    """A copy of it that a test may change."""
    return Path(shutil.copytree(admitted, tmp_path / "warehouse"))
