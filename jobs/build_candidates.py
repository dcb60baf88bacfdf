"""Makes `candidates`: the items to be scored for each query.

Grain: one row per run date, query and item. Inputs: items, queries, impressions, judgments,
texts.
Idempotent by run date: the rows of the run date are replaced.
Run: counterpoise build_candidates --conf FILE --run-date 2026-03-01
"""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date

from pyspark.sql import DataFrame

from conf.schema import Conf
from features.candidates import (
    active_queries,
    candidate_origins,
    distinct_terms,
    known_judgments,
    merged_origins,
    recent_log,
    seen_pairs,
)
from features.contracts import CANDIDATES, IMPRESSIONS, ITEMS, JUDGMENTS, QUERIES, TEXTS
from features.log.history import visible_log
from features.text.blocks import check_read
from features.text.bm25 import build_postings, rank_terms, retrieve_items
from features.text.texts import list_item_texts, list_query_texts
from jobs.platform import plans
from jobs.platform.job import Job
from jobs.platform.run import Run
from jobs.text.versions import read_readings

Keep = Callable[[DataFrame], DataFrame]


@dataclass(frozen=True)
class CandidateInputs:
    """Rows of the raw tables, what was read off their texts, and the run date."""

    items: DataFrame
    queries: DataFrame
    readings: DataFrame
    impressions: DataFrame
    judgments: DataFrame
    run_date: date


def list_origins(inputs: CandidateInputs, conf: Conf, keep: Keep) -> DataFrame:
    """List every reason to score a pair; a pair may have several.

    `keep` gets the frames that are read several times: their plans would be repeated each time.
    """
    log = visible_log(inputs.impressions, inputs.run_date)
    recent = recent_log(log, inputs.run_date, conf)
    judged = keep(known_judgments(inputs.judgments, inputs.run_date))
    active = keep(active_queries(recent, judged, inputs.queries))
    words = list_item_texts(inputs.items).select("item_id", "text_hash")
    words = words.join(inputs.readings, on="text_hash", how="inner").select("item_id", "tokens")
    postings = keep(build_postings(words, conf))
    ranked = keep(rank_terms(distinct_terms(active, inputs.readings), postings, conf))
    retrieved = retrieve_items(ranked, postings, conf)
    return keep(candidate_origins(seen_pairs(recent, conf), judged, active, retrieved))


def build(inputs: CandidateInputs, conf: Conf) -> DataFrame:
    """Build the candidates of the run date."""
    return (
        list_origins(inputs, conf, lambda df: df)
        .transform(merged_origins, inputs.queries, inputs.run_date)
        .transform(CANDIDATES.conform)
    )


def run(run: Run) -> None:
    """Read, build, write; rows in are the distinct pairs that have an origin."""
    warehouse, conf, report = run.warehouse, run.conf, run.report
    inputs = CandidateInputs(
        items=warehouse.read(ITEMS),
        queries=warehouse.read(QUERIES),
        readings=read_readings(warehouse),
        impressions=warehouse.read(IMPRESSIONS),
        judgments=warehouse.read(JUDGMENTS),
        run_date=conf.run_date,
    )
    needed = list_query_texts(inputs.queries).select("text_hash")
    check_read(needed.union(list_item_texts(inputs.items).select("text_hash")), inputs.readings)
    with ExitStack() as stack:
        reasons = list_origins(inputs, conf.tree, lambda df: plans.keep_frame(df, stack))
        pairs = reasons.select("query_id", "item_id").distinct().count()
        written = warehouse.replace_run(
            CANDIDATES, merged_origins(reasons, inputs.queries, conf.run_date)
        )
    report.count_rows(CANDIDATES.name, rows_in=pairs, rows_out=written.rows)


JOB = Job(
    run,
    summary="which items are scored for which queries",
    reads=(ITEMS, QUERIES, IMPRESSIONS, JUDGMENTS, TEXTS),
    writes=(CANDIDATES,),
    sections=("candidates", "features", "language"),
)
