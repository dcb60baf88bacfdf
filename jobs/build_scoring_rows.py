"""Makes scoring_rows: what the model reads at night.

Grain: one row per query of the run, its candidates and their features as arrays. Inputs: the run's
candidates, query_features, item_features and query_item_features (as of the run date).
Idempotency key: run_date.

    counterpoise build_scoring_rows --conf conf/homedepot.yaml --run-date 2026-03-01
"""

from collections.abc import Mapping

from pyspark.sql import DataFrame, Observation
from pyspark.sql import functions as F

from conf.load import ResolvedConf
from features.contracts import (
    CANDIDATES,
    ITEM_FEATURES,
    QUERY_FEATURES,
    QUERY_ITEM_FEATURES,
    SCORING_ROWS,
)
from features.examples.scoring_rows import ScoringInputs, scoring_rows
from features.lookup import MISSING
from jobs.platform.feature_reads import note_missing, read_features
from jobs.platform.job import Job
from jobs.platform.report import JobReport
from jobs.platform.run import Run
from jobs.platform.warehouse import Warehouse


def build(inputs: ScoringInputs, conf: ResolvedConf) -> DataFrame:
    """Build the rows of scoring_rows, and beside them the counts that the report needs."""
    return scoring_rows(inputs, conf.tree.scoring.max_candidates, conf.run_date)


def run(run: Run) -> None:
    """Pack the candidates of the run."""
    warehouse, conf, report = run.warehouse, run.conf, run.report
    inputs = read_inputs(warehouse)
    seen = Observation("scoring_rows")
    sums = [F.sum(name).alias(name) for name in ("candidates", *MISSING)]
    written = warehouse.replace_run(SCORING_ROWS, build(inputs, conf).observe(seen, *sums))
    totals = inputs.candidates.agg(
        F.count_distinct("query_id").alias("queries"), F.count(F.lit(1)).alias("pairs")
    ).collect()[0]
    report.count_rows(SCORING_ROWS.name, totals.queries, written.rows)
    note_missing(report, seen.get)
    _note_cut(report, totals.pairs, seen.get, conf.tree.scoring.max_candidates)


def read_inputs(warehouse: Warehouse) -> ScoringInputs:
    """Read the candidates of the run and its feature tables."""
    return ScoringInputs(warehouse.read_run(CANDIDATES), read_features(warehouse))


def _note_cut(
    report: JobReport, pairs: int, counts: Mapping[str, int | None], max_candidates: int
) -> None:
    packed = counts.get("candidates") or 0
    report.details["candidates"] = {"given": pairs, "packed": packed}
    if packed < pairs:
        report.notes.append(
            f"{pairs - packed} of {pairs} candidates are beyond the {max_candidates} per query of "
            f"scoring.max_candidates and are not scored"
        )


JOB = Job(
    run,
    summary="candidates and their features, packed one row per query",
    reads=(CANDIDATES, QUERY_FEATURES, ITEM_FEATURES, QUERY_ITEM_FEATURES),
    writes=(SCORING_ROWS,),
    sections=("features", "scoring"),
)
