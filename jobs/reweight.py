"""Makes scores anew from their stored probabilities: other weights, no model.

Grain: one row per query and candidate item. Inputs: the run's scores, and its value_weights or
those of conf. Idempotency key: run_date.

    counterpoise reweight --conf FILE --run-date 2026-03-01 --set value.tuned=false \
        --set value.weights.relevance=0.5
"""

import sys
from collections.abc import Sequence

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from conf.load import ResolvedConf
from features.contracts import SCORES, VALUE_WEIGHTS
from features.rerank import with_rank, with_value
from jobs.platform.cli import job_main
from jobs.platform.job import Job
from jobs.platform.report import JobReport
from jobs.platform.runner import open_warehouse
from jobs.platform.serving import WeightsInForce, weights_in_force


def build(scores: DataFrame, weights: WeightsInForce) -> DataFrame:
    """The rows of scores under other weights."""
    by_region = {region: w.as_tuple() for region, w in weights.table.by_region.items()}
    return (
        scores.transform(with_value(weights.table.default.as_tuple(), by_region))
        .transform(with_rank("query_id"))
        .withColumn("weights_version", F.lit(weights.version))
    )


def run(spark: SparkSession, conf: ResolvedConf) -> JobReport:
    """Rank the stored probabilities of the run anew."""
    warehouse, report = open_warehouse(spark, conf, "reweight")
    scores, weights = warehouse.read_run(SCORES), weights_in_force(warehouse)
    written = warehouse.replace_run(SCORES, build(scores, weights))
    report.count(SCORES.name, scores.count(), written.rows)
    report.details["weights_version"] = weights.version
    return report


def main(argv: Sequence[str] | None = None) -> int:
    """Command line of the job."""
    return job_main("reweight", argv)


JOB = Job(
    name="reweight",
    summary="rank stored probabilities by other weights, without the model",
    run=run,
    reads=(SCORES, VALUE_WEIGHTS),
    writes=(SCORES,),
    sections=("value",),
)

if __name__ == "__main__":
    sys.exit(main())
