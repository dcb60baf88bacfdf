"""Makes `candidates`: the items to be scored for each query.

Grain: one row per run date, query and item. Inputs: items, queries, impressions, judgments.
Idempotent by run date: the rows of the run date are replaced.
Run: counterpoise build_candidates --run-date 2026-03-01
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from pyspark.sql import DataFrame, SparkSession

from conf.load import ResolvedConf
from conf.schema import Conf
from features.candidates import candidate_origins, merged_origins
from features.contracts import CANDIDATES, IMPRESSIONS, ITEMS, JUDGMENTS, QUERIES
from features.history import visible_log
from features.lexical import build_postings
from features.pair import item_tokens
from jobs.platform.cli import job_main
from jobs.platform.job import Job
from jobs.platform.report import JobReport
from jobs.platform.runner import open_warehouse


@dataclass(frozen=True)
class Inputs:
    """Rows of the raw tables, the inverted index of the items, and the run date."""

    queries: DataFrame
    impressions: DataFrame
    judgments: DataFrame
    postings: DataFrame
    run_date: date


def origins(inputs: Inputs, conf: Conf) -> DataFrame:
    """Every reason to score a pair; a pair may have several."""
    return candidate_origins(
        visible_log(inputs.impressions, inputs.run_date),
        inputs.judgments,
        inputs.queries,
        inputs.postings,
        inputs.run_date,
        conf,
    )


def build(inputs: Inputs, conf: Conf) -> DataFrame:
    """The candidates of the run date."""
    return (
        origins(inputs, conf)
        .transform(merged_origins, inputs.queries, inputs.run_date)
        .transform(CANDIDATES.conform)
    )


def run(spark: SparkSession, conf: ResolvedConf) -> JobReport:
    """Read, build, write; rows in are the distinct pairs that have an origin."""
    warehouse, report = open_warehouse(spark, conf, "build_candidates")
    postings = warehouse.read(ITEMS).transform(item_tokens).transform(build_postings, conf.tree)
    inputs = Inputs(
        queries=warehouse.read(QUERIES),
        impressions=warehouse.read(IMPRESSIONS),
        judgments=warehouse.read(JUDGMENTS),
        postings=postings.persist(),
        run_date=conf.run_date,
    )
    reasons = origins(inputs, conf.tree).persist()
    pairs = reasons.select("query_id", "item_id").distinct().count()
    written = warehouse.replace_run(
        CANDIDATES, merged_origins(reasons, inputs.queries, conf.run_date)
    )
    report.count(CANDIDATES.name, rows_in=pairs, rows_out=written.rows)
    reasons.unpersist()
    inputs.postings.unpersist()
    return report


JOB = Job(
    name="build_candidates",
    summary="which items are scored for which queries",
    run=run,
    reads=(ITEMS, QUERIES, IMPRESSIONS, JUDGMENTS),
    writes=(CANDIDATES,),
    sections=("candidates", "features"),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Command line of the job."""
    return job_main("build_candidates", argv)


if __name__ == "__main__":
    sys.exit(main())
