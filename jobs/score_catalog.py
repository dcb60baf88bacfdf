"""Makes scores: the probabilities, value and rank of every candidate.

Grain: one row per query and candidate item. Inputs: the run's scoring_rows, the weights in force
(adopted by hand, else the run's value_weights, else those of conf), and the model in force: the one
that `admit_model` admitted last. Idempotency key: run_date.

    counterpoise score_catalog --conf conf/homedepot.yaml --run-date 2026-03-01
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from conf.load import ResolvedConf
from features.contracts import (
    MODEL_DECISIONS,
    SCORES,
    SCORING_ROWS,
    VALUE_WEIGHTS,
    WEIGHT_DECISIONS,
)
from jobs.platform.job import Job
from jobs.platform.run import Run
from jobs.platform.warehouse import Warehouse
from jobs.reports.markdown import write_section
from jobs.serving.in_force import WeightsInForce, find_scoring_model, find_weights_in_force
from udfs.model_files import model_version, taught_regions
from udfs.score_rows import score_files, score_rows

_BATCH_ROWS = "spark.sql.execution.arrow.maxRecordsPerBatch"


def build(
    scored: DataFrame, model_dir: Path, weights: WeightsInForce, conf: ResolvedConf
) -> DataFrame:
    """Build the rows of scores from the scored candidates."""
    return scored.withColumns(
        {
            "run_date": F.lit(conf.run_date),
            "model_version": F.lit(model_version(model_dir)),
            "weights_version": F.lit(weights.version),
        }
    )


def run(run: Run) -> None:
    """Score the packed candidates of the run."""
    warehouse, conf, report = run.warehouse, run.conf, run.report
    rows = warehouse.read_run(SCORING_ROWS)
    model_dir, weights = find_scoring_model(warehouse), find_weights_in_force(warehouse)
    with arrow_batches(warehouse.spark, conf.tree.scoring.batch_queries):
        scored = score_run(warehouse, rows, model_dir, weights)
        written = warehouse.replace_run(SCORES, build(scored, model_dir, weights, conf))
    taught = taught_regions(model_dir)
    pairs, neutral = rows.agg(F.sum(F.size("item_ids")), F.sum(neutral_pairs(taught))).collect()[0]
    report.count_rows(SCORES.name, pairs or 0, written.rows)
    if taught is not None:
        report.details["neutral_pairs"] = neutral or 0
        report.notes.append(
            f"{neutral or 0:,} pairs of regions that the model's region part has not seen: neutral"
        )
    report.details["model_version"] = model_version(model_dir)
    report.details["weights_version"] = weights.version
    if not conf.dry_run:
        text = f"## Weights adopted by hand\n\n{weights.adopted}" if weights.adopted else ""
        write_section(warehouse.report_dir(), "15-adopted-weights", text)


def score_run(
    warehouse: Warehouse, rows: DataFrame, model_dir: Path, weights: WeightsInForce
) -> DataFrame:
    """Score the packed rows of the run; the workers read their files where those hold no others."""
    conf, version = warehouse.conf, warehouse.report.inputs[SCORING_ROWS.name]
    files = warehouse.whole_files(SCORING_ROWS, version, conf.run_date.isoformat())
    orders = model_dir, weights.table.to_json()
    if not files:
        return score_rows(rows, *orders)
    return score_files(warehouse.spark, files, conf.tree.scoring.batch_queries, *orders)


def neutral_pairs(taught: Sequence[str] | None) -> Column:
    """Count the pairs of a row that the model's region part leaves as they are."""
    if taught is None:
        return F.lit(0)
    return F.when(F.col("region").isin(*taught), 0).otherwise(F.size("item_ids"))


@contextmanager
def arrow_batches(spark: SparkSession, rows: int) -> Iterator[None]:
    """Send so many rows to a worker at once, instead of Spark's 10,000: rows of
    arrays are large.
    """
    before = spark.conf.get(_BATCH_ROWS)
    spark.conf.set(_BATCH_ROWS, str(rows))
    try:
        yield
    finally:
        spark.conf.set(_BATCH_ROWS, before or "10000")


JOB = Job(
    run,
    summary="probabilities, value and rank of every candidate",
    reads=(SCORING_ROWS, VALUE_WEIGHTS, WEIGHT_DECISIONS, MODEL_DECISIONS),
    may_lack=(WEIGHT_DECISIONS, MODEL_DECISIONS),
    writes=(SCORES,),
    sections=("value", "features", "scoring"),
    artifacts_in=("model",),
)
