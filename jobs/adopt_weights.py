"""Adds to weight_decisions: which weights are in force from the next scoring on, by whom and why.

Grain: one row per decision; the last one up to a run date holds. Inputs: weight_trials,
weight_decisions. An earlier adoption is taken again by its version; `--back-to-tuned` ends it. Each
call is a decision of its own.

    counterpoise adopt_weights --conf FILE --trial fit-up --by Ada --why "misfits at the top"
    counterpoise adopt_weights --conf FILE --version 0f3a5c7d9e1b2a48 --by Ada --why "sold more"
    counterpoise adopt_weights --conf FILE --back-to-tuned --by Ada --why "the sale is over"
    counterpoise adopt_weights --conf FILE --list
"""

import argparse
from datetime import UTC, datetime
from typing import Any

from pyspark.sql import functions as F

from conf.load import ResolvedConf
from features.contracts import WEIGHT_DECISIONS, WEIGHT_TRIALS
from jobs.platform.decisions import insert_decision
from jobs.platform.job import Job, Work
from jobs.platform.run import Run
from jobs.platform.warehouse import Warehouse
from jobs.serving.deciders import require_decider
from jobs.serving.trials import TrialError, find_trial

Row = dict[str, Any]
_TAKEN = ("trial", "weights", "weights_version")


def build(taken: Row | None, number: int, conf: ResolvedConf, by: str, why: str) -> Row:
    """Build the row of weight_decisions; without weights it goes back to the tuned ones."""
    return {
        "decision_no": number,
        "run_date": conf.run_date,
        "decision": "adopted" if taken else "tuned",
        "decided_by": by,
        "why": why,
        "decided_at": datetime.now(UTC),
        **{name: taken[name] if taken else None for name in _TAKEN},
    }


def adopt_weights(trial: str | None, version: str | None, by: str, why: str) -> Work:
    """Decide on a trial, on weights that were adopted before, or (neither) on the tuned ones."""

    def run(run: Run) -> None:
        warehouse, conf, report = run.warehouse, run.conf, run.report
        taken = find_trial(warehouse, trial) if trial else None
        if version:
            taken = _adopted_before(warehouse, version)
        insert_decision(
            warehouse, WEIGHT_DECISIONS, lambda number: build(taken, number, conf, by, why)
        )
        report.count_rows(WEIGHT_DECISIONS.name, 1, 1)
        words = (
            f"weights {taken['weights_version']} (trial {taken['trial']})"
            if taken
            else "tuned weights"
        )
        report.notes.append(
            f"{words} in force from the next scoring of {conf.run_date} on, by {by}: {why}"
        )

    return run


def list_decisions(run: Run) -> None:
    """Say what was decided on weights, the last decision first."""
    warehouse, report = run.warehouse, run.report
    rows = []
    if warehouse.exists(WEIGHT_DECISIONS):
        rows = warehouse.read(WEIGHT_DECISIONS).orderBy(F.desc("decision_no")).collect()
    report.notes += [
        f"{r['decision_no']}: {r['decision']} {r['weights_version'] or ''} from {r['run_date']} "
        f"on, by {r['decided_by']}: {r['why']}"
        for r in rows
    ] or ["no weights were adopted yet"]


def _adopted_before(warehouse: Warehouse, version: str) -> Row:
    rows = []
    if warehouse.exists(WEIGHT_DECISIONS):
        adoptions = warehouse.read(WEIGHT_DECISIONS).where("decision = 'adopted'")
        rows = adoptions.orderBy(F.desc("decision_no")).collect()
    for row in rows:
        if row["weights_version"] == version:
            return dict(row.asDict())
    adopted = ", ".join(dict.fromkeys(row["weights_version"] for row in rows)) or "none"
    raise TrialError(f"weights {version} were never adopted; adopted so far: {adopted}")


def _bind_work(arguments: argparse.Namespace) -> Work:
    if arguments.list:
        return list_decisions
    by, why = require_decider(arguments)
    return adopt_weights(arguments.trial, arguments.version, by, why)


JOB = Job(
    list_decisions,
    summary="put the weights of a trial in force from the next scoring on",
    reads=(WEIGHT_TRIALS, WEIGHT_DECISIONS),
    may_lack=(WEIGHT_DECISIONS,),
    writes=(WEIGHT_DECISIONS,),
    bind=_bind_work,
    alone=False,
)
