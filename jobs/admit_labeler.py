"""Makes labeler_decisions: which labeler versions may label production.

Grain: one row per decision; the last one of a version holds. Inputs: labeler_versions,
labeler_queries, relevance_labels (human ones), queries, items, impressions; the labeler directories
of the versions that wait for a decision, and of the admitted one.
Idempotency key: labeler version: one that was decided on is not judged again.
Run: counterpoise admit_labeler --conf FILE [--run-date DATE]

The gold set is judged by conf `labeling.gate`. A version that is refused labels nothing, and the
one that was admitted before continues to label. Decisions are inserted, never changed: one that
another run took while a version was judged makes the gate judge it again on the newest state, and
a version that was decided on meanwhile is left as that decision says.
"""

import json
from collections.abc import Mapping
from typing import Any

import pandas as pd

from conf.load import ResolvedConf
from features.contracts import (
    IMPRESSIONS,
    ITEMS,
    LABEL_AUDIT,
    LABELER_DECISIONS,
    LABELER_QUERIES,
    LABELER_VERSIONS,
    QUERIES,
    RELEVANCE_LABELS,
)
from jobs.labels.labeler_gate import Judged, gold_rows, judge_version
from jobs.labels.labelers import Row, in_force, versions_with_status
from jobs.platform.decisions import decide
from jobs.platform.job import Job
from jobs.platform.report import JobReport
from jobs.platform.run import Run
from jobs.platform.warehouse import Warehouse


def build(version: str, judged: Judged, number: int, conf: ResolvedConf) -> Row:
    """The row of labeler_decisions."""
    verdict = judged.verdict
    return {
        "decision_no": number,
        "labeler_version": version,
        "run_date": conf.run_date,
        "decision": "admitted" if verdict.admitted else "refused",
        "reasons": verdict.reasons,
        "metrics": json.dumps(verdict.figures),
        "gold_pairs": judged.pairs,
        "gold_queries": judged.queries,
        "compared_with": judged.compared_with,
    }


def run(run: Run) -> None:
    """Judge each version that waits for a decision, the oldest first.

    Raises:
        LabelerError: the gold set has texts that a version was fitted on, or lacks a grade.
    """
    warehouse, conf, report = run.warehouse, run.conf, run.report
    versions = versions_with_status(warehouse)
    waiting = sorted(
        (row for row in versions if row["admitted"] is None),
        key=lambda row: (row["run_date"], row["labeler_version"]),
    )
    if not waiting:
        admitted = in_force(versions)
        state = f"{admitted['labeler_version']} is admitted" if admitted else "none is admitted"
        report.notes.append(f"no labeler version waits for a decision; {state}")
        return
    if conf.dry_run:
        report.count(LABELER_DECISIONS.name, len(waiting), len(waiting))
        return
    rows = gold_rows(warehouse)
    for row in waiting:
        _decide(warehouse, rows, str(row["labeler_version"]))


def _decide(warehouse: Warehouse, rows: pd.DataFrame, version: str) -> None:
    """Judge a version and insert the decision, unless another run decided on it meanwhile."""

    def make(number: int) -> Row | None:
        versions = versions_with_status(warehouse)
        if any(r["labeler_version"] == version and r["admitted"] is not None for r in versions):
            return None
        judged = judge_version(warehouse, rows, version, in_force(versions))
        return build(version, judged, number, warehouse.conf)

    decision = decide(warehouse, LABELER_DECISIONS, make)
    if decision is None:
        warehouse.report.notes.append(f"labeler {version}: another run decided on it meanwhile")
    else:
        _tell(warehouse.report, decision)


def _tell(report: JobReport, row: Row) -> None:
    report.count(LABELER_DECISIONS.name, 1, 1)
    figures = json.loads(row["metrics"])
    report.details[row["labeler_version"]] = {"decision": row["decision"], **figures}
    low, high = figures["qwk_interval"]
    report.notes.append(
        f"labeler {row['labeler_version']} {row['decision']} on {row['gold_pairs']:,} gold pairs "
        f"of {row['gold_queries']:,} queries: kappa {figures['qwk']:.3f}"
        + (f" ({low:.3f} to {high:.3f})" if low is not None else "")
        + f", exact {figures['exact']:.3f}, within one {figures['within_one']:.3f}"
    )
    report.notes.append(
        "    within a query: correlation {within_query_correlation}, NDCG@10 {ndcg@10}, pairs two "
        "grades apart in order {clear_pairs}".format_map(_three_digits(figures))
    )
    report.notes.extend(f"    {reason}" for reason in row["reasons"])


def _three_digits(figures: Mapping[str, Any]) -> dict[str, str]:
    """Figures as words; a dash for one that has no meaning here."""
    return {n: f"{v:.3f}" if isinstance(v, float) else "-" for n, v in figures.items()}


JOB = Job(
    run,
    summary="judge new labeler versions on the gold set; only admitted ones label",
    reads=(
        LABELER_VERSIONS,
        LABELER_QUERIES,
        LABELER_DECISIONS,
        RELEVANCE_LABELS,
        LABEL_AUDIT,
        QUERIES,
        ITEMS,
        IMPRESSIONS,
    ),
    may_lack=(LABELER_VERSIONS, LABELER_QUERIES, LABELER_DECISIONS, LABEL_AUDIT),
    writes=(LABELER_DECISIONS,),
    sections=("labeling", "training_set"),
)
