"""The baselines of a run: fitted once a snapshot and conf, and their scores beside the model's."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from conf.load import section_hash
from conf.sections.value import Weights
from features.contracts import SCORING_ROWS
from features.evaluation.rankers import weigh_engagement
from jobs.platform.feature_reads import read_examples
from jobs.platform.warehouse import Warehouse
from model.baselines import (
    BOOSTED,
    BaselineError,
    Baselines,
    fit_baselines,
    load_baselines,
    save_baselines,
)
from model.feed import Snapshot, open_snapshot
from model.value.weights import ValueWeights
from udfs.baselines import score_column, score_flat, score_packed

GRADED = "lightgbm_relevance"
"""Baseline that ranks by the grades of the first binary arm."""
FROM_LOG = frozenset({*BOOSTED, GRADED})
"""Rankers that learn from the log, as the model does."""

_MEASURED_ALREADY = ("popularity", "bm25")
"""Arms that are columns of every row that is measured."""


@dataclass(frozen=True)
class RunBaselines:
    """Fitted baselines of a run date; without a file nothing is added.

    Attributes:
        warehouse: of the run.
        baselines: fitted on the run's snapshot.
        snapshot: that they were fitted on.
        path: their file, which the workers read.
    """

    warehouse: Warehouse
    baselines: Baselines | None = None
    snapshot: Snapshot | None = None
    path: Path = field(default_factory=Path)

    def join_examples(self, rows: DataFrame, split: str) -> DataFrame:
        """Join the baselines' score columns to rows of one split (example_id)."""
        if self.baselines is None:
            return rows
        examples = read_examples(self.warehouse).where(F.col("split") == split)
        scored = score_flat(examples, ["example_id"], self.path)
        return rows.join(scored, on="example_id", how="left")

    def join_served(self, rows: DataFrame) -> DataFrame:
        """Join the baselines' score columns to scored candidates (query_id, item_id)."""
        if self.baselines is None or self.snapshot is None:
            return rows
        queries = rows.select("query_id").distinct()
        packed = self.warehouse.read_run(SCORING_ROWS).join(queries, on="query_id", how="left_semi")
        scored = score_packed(packed, self.snapshot.spec, self.path)
        return rows.join(scored, on=["query_id", "item_id"], how="left")

    def build_rankers(self, weights: Mapping[str, Weights], default: Weights) -> dict[str, Column]:
        """Build name -> score of every baseline that is no ranker already; weights by region.

        A binary arm ranks by its engagement under its own name, and by its grades with `_relevance`
        at the end; the arms share the models of the grades, so they stand there once.
        """
        if self.baselines is None:
            return {}
        by_name = {
            arm: F.col(score_column(arm, "engagement"))
            for arm in self.baselines.columns
            if arm not in _MEASURED_ALREADY
        }
        for number, arm in enumerate(self.baselines.probabilities):
            parts = [F.col(score_column(arm, f"p_{t}")) for t in ("click", "cart", "purchase")]
            by_name[arm] = weigh_engagement(weights, default, parts)
            if number == 0:
                by_name[GRADED] = F.col(score_column(arm, "relevance"))
        for arm in self.baselines.rankings:
            kind = "relevance" if arm == "lambdamart_relevance" else "engagement"
            by_name[arm] = F.col(score_column(arm, kind))
        return by_name


def name_opponents(fitted: Mapping[str, Column]) -> list[str]:
    """Name the baselines that the engagement is held to: popularity and BM25, which stand in every
    row, and those of conf, but for the order of the three tasks' grades."""
    return [*_MEASURED_ALREADY, *(name for name in fitted if name != GRADED)]


def prepare_baselines(warehouse: Warehouse) -> RunBaselines:
    """Load the baselines of conf; fit them where no whole file of the same snapshot, conf and seed
    is kept.

    What was left out stands in the report's notes. A dry run fits nothing.
    """
    conf = warehouse.conf
    if not conf.tree.baselines.arms or conf.dry_run:
        return RunBaselines(warehouse)
    try:
        snapshot = open_snapshot(warehouse.snapshot_dir())
    except FileNotFoundError:
        warehouse.report.notes.append("no training snapshot of the run date: no fitted baselines")
        return RunBaselines(warehouse)
    path = _build_path(warehouse, snapshot)
    baselines = _load_whole(warehouse, path)
    if baselines is None:
        _fit_and_save(warehouse, snapshot, path)
        baselines = load_baselines(path)
    warehouse.report.notes += baselines.notes
    return RunBaselines(warehouse, baselines, snapshot, path)


def _load_whole(warehouse: Warehouse, path: Path) -> Baselines | None:
    """Load the baselines; None where there is no file, or one that is damaged."""
    if not path.is_file():
        return None
    try:
        return load_baselines(path)
    except BaselineError as error:
        warehouse.report.warnings.append(f"{error}; the baselines are fitted anew")
        return None


def _fit_and_save(warehouse: Warehouse, snapshot: Snapshot, path: Path) -> None:
    """Fit and keep; files of an earlier snapshot or conf of the run date go."""
    tree = warehouse.conf.tree
    snapshot.verify()
    weights = ValueWeights.from_conf(tree.value.weights)
    fitted = fit_baselines(snapshot, tree.baselines, weights, tree.seed)
    for old in path.parent.glob("*.json"):
        old.unlink()
    save_baselines(fitted, path)


def _build_path(warehouse: Warehouse, snapshot: Snapshot) -> Path:
    tree = warehouse.conf.tree.model_dump(mode="json")
    key = section_hash(
        [snapshot.manifest_sha256, tree["baselines"], tree["value"]["weights"], tree["seed"]]
    )
    return warehouse.root / "baselines" / warehouse.conf.run_date.isoformat() / f"{key}.json"
