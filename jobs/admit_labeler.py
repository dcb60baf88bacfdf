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
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

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
from features.labels.pairs import GOLD, TEXT_PAIR, draw_at_most, graded_pairs, shown_queries
from jobs.labels.labeler_fit import build_text_pairs, grades_of, production_weights
from jobs.labels.labelers import Row, in_force, labeler_dir, labels_in_force, versions_with_status
from jobs.platform.decisions import insert_decision
from jobs.platform.job import Job
from jobs.platform.report import JobReport
from jobs.platform.run import Run
from jobs.platform.warehouse import Warehouse
from model.labelers.base import LabelerError
from model.labelers.deployed import Deployed, load_deployed
from model.labelers.gate.gate import Graded, Verdict, judge_labeler, require_unseen
from model.labelers.gate.gold import Gold


@dataclass(frozen=True)
class Judged:
    """A verdict, and the version that was compared with (None: none, or not comparable)."""

    verdict: Verdict
    compared_with: str | None
    pairs: int
    queries: int


def build(version: str, judged: Judged, number: int, conf: ResolvedConf) -> Row:
    """Build the row of labeler_decisions."""
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
        report.count_rows(LABELER_DECISIONS.name, len(waiting), len(waiting))
        return
    rows = gold_rows(warehouse)
    for row in waiting:
        _decide_version(warehouse, rows, str(row["labeler_version"]))


def _decide_version(warehouse: Warehouse, rows: pd.DataFrame, version: str) -> None:
    """Judge a version and insert the decision, unless another run decided on it meanwhile."""

    def make_decision(number: int) -> Row | None:
        versions = versions_with_status(warehouse)
        if any(r["labeler_version"] == version and r["admitted"] is not None for r in versions):
            return None
        judged = judge_version(warehouse, rows, version, in_force(versions))
        return build(version, judged, number, warehouse.conf)

    decision = insert_decision(warehouse, LABELER_DECISIONS, make_decision)
    if decision is None:
        warehouse.report.notes.append(f"labeler {version}: another run decided on it meanwhile")
    else:
        _report_decision(warehouse.report, decision)


def _report_decision(report: JobReport, row: Row) -> None:
    report.count_rows(LABELER_DECISIONS.name, 1, 1)
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
    """Write figures with three digits; a dash for one that has no meaning here."""
    return {n: f"{v:.3f}" if isinstance(v, float) else "-" for n, v in figures.items()}


def gold_rows(warehouse: Warehouse) -> pd.DataFrame:
    """Return the gold pairs with texts, grade, region and times the query was shown, bounded by
    conf.

    A pair that several regions share is one row per region: its grades may differ.
    """
    tree, run_date = warehouse.conf.tree, warehouse.conf.run_date
    queries = warehouse.read(QUERIES)
    graded = graded_pairs(labels_in_force(warehouse), queries, warehouse.read(ITEMS), tree)
    shown = shown_queries(warehouse.read(IMPRESSIONS), queries, run_date)
    gold = graded.where(F.col("role") == GOLD).join(shown, on="text_key", how="left")
    columns = (*TEXT_PAIR, "region", "query_text", "item_text", "grade", "p_ge_1", "p_ge_2")
    rows: DataFrame = gold.select(*columns, F.coalesce("shown", F.lit(0)).alias("shown"))
    return draw_at_most(rows, tree.labeling.max_judging_pairs, tree.seed).toPandas()


def judge_version(
    warehouse: Warehouse, rows: pd.DataFrame, version: str, admitted: Row | None
) -> Judged:
    """Judge a version on gold rows, against the admitted one where that is possible.

    Raises:
        LabelerError: the gold set has texts that the version was fitted on, or lacks a grade; or
            the directory is damaged.
    """
    tree = warehouse.conf.tree
    keys = set(rows["text_key"])
    require_unseen(keys, _find_seen(warehouse, version, keys))
    deployed = load_deployed(labeler_dir(warehouse, version))
    gold = _make_gold(rows, production_weights(deployed.deployment, rows, tree))
    reference = None if admitted is None else _ask_admitted(warehouse, admitted, gold, keys)
    verdict = judge_labeler(
        gold, _grade_gold(deployed, gold), reference, tree.labeling.gate, tree.seed
    )
    compared = admitted["labeler_version"] if admitted and reference is not None else None
    return Judged(verdict, compared, len(rows), len(keys))


def _ask_admitted(warehouse: Warehouse, admitted: Row, gold: Gold, keys: set[str]) -> Graded | None:
    """Ask the admitted version; None, and a note, where it cannot be asked fairly."""
    version = str(admitted["labeler_version"])
    try:
        require_unseen(keys, _find_seen(warehouse, version, keys))
        return _grade_gold(load_deployed(labeler_dir(warehouse, version)), gold)
    except LabelerError as error:
        warehouse.report.notes.append(f"not compared with the admitted version: {error}")
        return None


def _grade_gold(deployed: Deployed, gold: Gold) -> Graded:
    p = deployed.predict(gold.pairs)
    return Graded(p, deployed.deployment.choose_grades(p))


def _find_seen(warehouse: Warehouse, version: str, keys: set[str]) -> list[str]:
    """Find which of the gold texts the version was fitted or chosen on."""
    seen = warehouse.read(LABELER_QUERIES).where(F.col("labeler_version") == version)
    gold = warehouse.spark.createDataFrame([(key,) for key in sorted(keys)], "text_key string")
    return [row["text_key"] for row in seen.join(gold, on="text_key", how="left_semi").collect()]


def _make_gold(
    rows: pd.DataFrame, weight: "np.ndarray[tuple[int, ...], np.dtype[np.float64]]"
) -> Gold:
    return Gold(
        pairs=build_text_pairs(rows),
        grades=grades_of(rows),
        queries=rows["text_key"].to_numpy(np.str_),
        regions=rows["region"].to_numpy(np.str_),
        shown=rows["shown"].to_numpy(np.float64),
        weight=weight,
    )


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
