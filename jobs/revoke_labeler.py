"""Adds to labeler_decisions that a version is no longer admitted.

Grain: one row per decision. Inputs: labeler_decisions. Idempotent: a version that is not admitted
is not revoked again. The row is inserted, never merged: an admission that is judged meanwhile takes
another number, and is judged anew. The version's labels stay readable in relevance_labels, and
reach no training set any more; the version that was admitted before it labels again.
Run: counterpoise revoke_labeler --conf FILE --set labeling.revoke=VERSION
    --set labeling.revoke_reason=WHY
"""

from conf.load import ConfError, ResolvedConf
from features.contracts import LABELER_DECISIONS, LABELER_VERSIONS
from jobs.labels.labelers import Row, in_force, versions_with_status
from jobs.platform.decisions import insert_decision
from jobs.platform.job import Job
from jobs.platform.run import Run


def build(version: str, number: int, conf: ResolvedConf) -> Row:
    """Build the row of labeler_decisions."""
    return {
        "decision_no": number,
        "labeler_version": version,
        "run_date": conf.run_date,
        "decision": "revoked",
        "reasons": [conf.tree.labeling.revoke_reason],
        "metrics": "{}",
        "gold_pairs": 0,
        "gold_queries": 0,
    }


def run(run: Run) -> None:
    """Revoke the version of conf `labeling.revoke`, else the one that labels.

    Raises:
        ConfError: there is no such version, or it is not admitted.
    """
    warehouse, conf, report = run.warehouse, run.conf, run.report
    version = _to_revoke(versions_with_status(warehouse), conf.tree.labeling.revoke)

    def make_decision(number: int) -> Row:
        return build(_to_revoke(versions_with_status(warehouse), version), number, conf)

    insert_decision(warehouse, LABELER_DECISIONS, make_decision)
    report.count_rows(LABELER_DECISIONS.name, 1, 1)
    others = [r for r in versions_with_status(warehouse) if r["labeler_version"] != version]
    left = in_force(others)
    after = f"{left['labeler_version']} labels from now on" if left else "none is admitted now"
    report.notes.append(f"labeler {version} revoked; {after}")


def _to_revoke(versions: list[Row], wanted: str | None) -> str:
    admitted = sorted(str(row["labeler_version"]) for row in versions if row["admitted"])
    if wanted is None:
        current = in_force(versions)
        wanted = str(current["labeler_version"]) if current else None
    if wanted is None or wanted not in admitted:
        listed = ", ".join(admitted) or "none"
        raise ConfError(f"labeling.revoke: version {wanted} is not admitted; admitted: {listed}")
    return wanted


JOB = Job(
    run,
    summary="withdraw a labeler version: its labels reach no training set any more",
    reads=(LABELER_VERSIONS, LABELER_DECISIONS),
    writes=(LABELER_DECISIONS,),
    sections=("labeling",),
    alone=False,
)
