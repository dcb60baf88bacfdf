"""Adds to model_decisions: whether tonight's ranker is served, judged against the one in force.

Grain: one row per decision; the last one of a version up to a run date holds. Inputs: the run's
training_examples and scoring_rows, validation queries only, queries, relevance_labels,
labeler_decisions, the weights that were served last, and two model directories: that of the run
date and that of the model in force. Both score the same rows of tonight: relevance on the lists as
served, engagement in the currency of conf, both beside the baselines, calibration by task, order of
the funnel; thresholds are conf `admission`. The first model is held to absolute bounds alone. An
admitted model is copied to `storage.root`/admitted/VERSION, so that a later training does not touch
it.
Idempotency key: run date, model version, thresholds and the model that it was held to.

    counterpoise admit_model --conf FILE
    counterpoise admit_model --conf FILE --rollback --by "Ada" --why "sold less on the day"
"""

import argparse
import json
from pathlib import Path

from conf.errors import GateRefusedError
from conf.load import ResolvedConf, section_hash
from features.contracts import (
    LABELER_DECISIONS,
    MODEL_DECISIONS,
    QUERIES,
    RELEVANCE_LABELS,
    SCORING_ROWS,
    TRAINING_EXAMPLES,
    WEIGHT_DECISIONS,
)
from jobs.platform.decisions import insert_decision
from jobs.platform.job import Job, Work
from jobs.platform.run import Run
from jobs.platform.warehouse import Warehouse
from jobs.reports.baselines import prepare_baselines
from jobs.serving.deciders import require_decider
from jobs.serving.in_force import find_weights_before
from jobs.serving.model_gate import gather_evidence
from jobs.serving.model_report import format_decision, write_model_section
from jobs.serving.models import (
    Row,
    build_revocation,
    find_in_force,
    keep_admitted,
    read_model_decisions,
    require_admitted,
)
from model.serving.admission import AdmissionVerdict, GateEvidence, judge_candidate
from model.spec import describe_input_difference
from udfs.model_files import model_version, read_spec

GATE = "gate"


def build(
    number: int,
    version: str,
    evidence: GateEvidence,
    verdict: AdmissionVerdict,
    criteria: str,
    before: Row | None,
) -> Row:
    """Build the row of model_decisions, its run date apart."""
    given = {"unjudged": verdict.unjudged, "warnings": verdict.warnings}
    return {
        "decision_no": number,
        "model_version": version,
        "decision": "admitted" if verdict.admitted else "refused",
        "decided_by": GATE,
        "reasons": verdict.reasons,
        "metrics": json.dumps(evidence.to_json() | given),
        "criteria": criteria,
        "compared_with": before["model_version"] if before else None,
    }


def run(run: Run) -> None:
    """Judge the run date's model, unless it was decided on before.

    Raises:
        ModelFilesError: there is no model of the run date.
        ModelGoneError: the folder of the model in force is missing.
        GateRefusedError: the model is refused and conf says stop, or no other can be served.
    """
    warehouse, conf, report = run.warehouse, run.conf, run.report
    version = model_version(warehouse.model_dir())
    if conf.dry_run:
        report.notes.append(f"dry run: would judge model {version}")
        return
    row = insert_decision(
        warehouse, MODEL_DECISIONS, lambda number: _judge_candidate(warehouse, version, number)
    )
    if row is not None:
        report.count_rows(MODEL_DECISIONS.name, 1, 1)
    decisions = read_model_decisions(warehouse)
    mine = [r for r in decisions if r["model_version"] == version][-1]
    report.notes += format_decision(mine)
    metrics = json.loads(mine["metrics"])
    report.details["decision"] = mine | {"metrics": metrics}
    report.warnings += [f"WARNING: {line}" for line in metrics.get("warnings", [])]
    write_model_section(warehouse.report_dir(), mine)
    _go_on(warehouse, mine, find_in_force(decisions))


def _judge_candidate(warehouse: Warehouse, version: str, number: int) -> Row | None:
    """Make the next decision on the run date's model; None where the last one still holds."""
    decisions = read_model_decisions(warehouse)
    before = find_in_force(decisions)
    criteria = _hash_criteria(warehouse.conf, before)
    last = [row for row in decisions if row["model_version"] == version]
    if last and _still_holds(last[-1], before, criteria, warehouse.conf):
        return None
    candidate, tree = warehouse.model_dir(), warehouse.conf.tree
    weights = find_weights_before(warehouse)
    reference = _find_comparable(warehouse, candidate, before)
    baselines = prepare_baselines(warehouse)
    evidence = gather_evidence(warehouse, candidate, reference, weights, baselines)
    verdict = judge_candidate(evidence, tree.admission, tree.value.min_queries)
    if verdict.admitted:
        keep_admitted(warehouse, version)
    row = build(number, version, evidence, verdict, criteria, before)
    return row | {"run_date": warehouse.conf.run_date}


def _still_holds(last: Row, before: Row | None, criteria: str, conf: ResolvedConf) -> bool:
    """Return whether a decision needs no other: in force, revoked by hand, or refused on these
    terms.
    """
    if last["decision"] == "revoked" or (
        before and before["model_version"] == last["model_version"]
    ):
        return True
    same_night = last["run_date"] == conf.run_date and last["criteria"] == criteria
    return bool(last["decision"] == "refused" and same_night)


def _hash_criteria(conf: ResolvedConf, before: Row | None) -> str:
    beside = {"admission": {"on_refusal"}, "baselines": {"threads"}}
    tree = conf.tree.model_dump(mode="json", exclude=beside)
    held_to = before["model_version"] if before else None
    judged_by = [tree[name] for name in ("admission", "value", "evaluation", "baselines")]
    return section_hash([*judged_by, held_to])


def _find_comparable(warehouse: Warehouse, candidate: Path, before: Row | None) -> Path | None:
    """Find the directory of the model in force, where it can read tonight's features."""
    if before is None:
        return None
    place = require_admitted(warehouse, before)
    other = describe_input_difference(read_spec(candidate), read_spec(place))
    if not other:
        return place
    warehouse.report.warnings.append(
        f"model {before['model_version']}, in force, reads other features ({other}): tonight's "
        "model is held to absolute bounds alone"
    )
    return None


def _go_on(warehouse: Warehouse, mine: Row, current: Row | None) -> None:
    """Warn of a model that is not served; stop where conf says so or where there is no other."""
    if mine["decision"] == "admitted":
        return
    version, why = mine["model_version"], "; ".join(mine["reasons"])
    refusal = f"model {version} of {mine['run_date']} is {mine['decision']}: {why}"
    if current is None:
        raise GateRefusedError(f"{refusal}; no other model was admitted, so nothing can be served")
    if mine["decision"] == "refused" and warehouse.conf.tree.admission.on_refusal == "stop":
        raise GateRefusedError(
            f"{refusal}; admission.on_refusal is stop: train a better model, relax conf section "
            "`admission`, or set score_with_last to go on with the model in force"
        )
    place = require_admitted(warehouse, current)
    other = describe_input_difference(read_spec(warehouse.model_dir()), read_spec(place))
    if other:
        raise GateRefusedError(
            f"{refusal}; model {current['model_version']}, in force, cannot read tonight's "
            f"features ({other}), so nothing can be served"
        )
    warehouse.report.warnings.append(
        f"WARNING: {refusal}. Scored with model {current['model_version']} of {current['run_date']}"
    )


def roll_back(by: str, why: str) -> Work:
    """Revoke the model in force: the one before it serves from the next scoring on.

    Raises:
        NoRollbackError: no model was admitted before it.
        ModelGoneError: the folder of that one is missing.
    """

    def run_back(run: Run) -> None:
        warehouse, report = run.warehouse, run.report
        row = insert_decision(
            warehouse, MODEL_DECISIONS, lambda n: build_revocation(warehouse, n, by, why)
        )
        report.count_rows(MODEL_DECISIONS.name, 1, 1)
        if row is not None:
            report.notes.append(
                f"model {row['model_version']} revoked by {by}: {why}; model "
                f"{row['compared_with']} serves from the next scoring on"
            )

    return run_back


def _bind_work(arguments: argparse.Namespace) -> Work:
    return roll_back(*require_decider(arguments)) if arguments.rollback else run


JOB = Job(
    run,
    summary="judge tonight's ranker against the one in force; only an admitted one serves",
    reads=(
        TRAINING_EXAMPLES,
        SCORING_ROWS,
        QUERIES,
        RELEVANCE_LABELS,
        LABELER_DECISIONS,
        WEIGHT_DECISIONS,
        MODEL_DECISIONS,
    ),
    may_lack=(LABELER_DECISIONS, WEIGHT_DECISIONS, MODEL_DECISIONS),
    writes=(MODEL_DECISIONS,),
    sections=("value", "features", "evaluation", "admission", "baselines"),
    artifacts_in=("model", "snapshot"),
    bind=_bind_work,
)
