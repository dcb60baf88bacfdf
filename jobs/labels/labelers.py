"""Labeler versions, what was decided on them, and which one labels."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from conf.load import flatten_tree, section_hash
from conf.schema import Conf
from conf.sections.labelers.labeler import LabelerKind
from features.audit.decisions import audited_labels, latest_audit
from features.contracts import (
    LABEL_AUDIT,
    LABELER_DECISIONS,
    LABELER_VERSIONS,
    QUERIES,
    RELEVANCE_LABELS,
    Table,
)
from features.labels.admitted import version_status
from jobs.platform.warehouse import Warehouse

Row = dict[str, Any]

_BESIDE = ("seed", "split", "labels")
"""Sections that count besides those that the job declares: those of every job, and `labels`, which
decides what the grades in the rows mean.
"""

_OF_THE_RUN = "whether and when a labeler is fitted, not what it becomes"
_OF_THE_GATE = "judges a labeler that is fitted"
_OF_LABELING = "how its labels are made and kept"
_OF_THE_RANKER = "examples of the ranker"
MAY_DIFFER = {
    "labeling.enabled": _OF_THE_RUN,
    "labeling.required": _OF_THE_RUN,
    "labeling.refit": _OF_THE_RUN,
    "labeling.min_pairs": _OF_THE_RUN,
    "labeling.gate": _OF_THE_GATE,
    "labeling.revoke": _OF_THE_GATE,
    "labeling.revoke_reason": _OF_THE_GATE,
    "labeling.judged_pairs": _OF_LABELING,
    "labeling.relabel": _OF_LABELING,
    "labeling.doubt": _OF_LABELING,
    "labeling.chunk_pairs": _OF_LABELING,
    "labeling.budget_pairs": _OF_LABELING,
    "labeling.budget_minutes": _OF_LABELING,
    "labeling.partitions": _OF_LABELING,
    "labeling.mix_shift": _OF_LABELING,
    "training_set.attribution_days": _OF_THE_RANKER,
    "training_set.short_look_back": _OF_THE_RANKER,
    "training_set.version_weights": _OF_THE_RANKER,
    "training_set.negatives": _OF_THE_RANKER,
    "training_set.source_weights.human": _OF_THE_RANKER,
    "training_set.source_weights.llm": _OF_THE_RANKER,
    "training_set.source_weights.model": _OF_THE_RANKER,
    "training_set.rows_per_file": _OF_THE_RANKER,
    "training_set.compression": _OF_THE_RANKER,
}
"""Keys of conf that may change without a new fit, each with its reason; a change of any other key
in a section that the fit reads makes the labeler be fitted again.
"""


def labeler_dir(warehouse: Warehouse, version: str) -> Path:
    """Return the folder of a labeler version."""
    return warehouse.root / "labelers" / version


def read_optional(warehouse: Warehouse, table: Table) -> DataFrame | None:
    """Read the table; None where it was never written."""
    return warehouse.read(table) if warehouse.exists(table) else None


def versions_with_status(warehouse: Warehouse) -> list[Row]:
    """List rows of labeler_versions with `admitted` (None: no decision yet) and `decision_no`.

    One row per labeler that was ever fitted, so the number of fits bounds them.
    """
    versions, decisions = (
        read_optional(warehouse, t) for t in (LABELER_VERSIONS, LABELER_DECISIONS)
    )
    if versions is None:
        return []
    if decisions is None:
        blank = {"admitted": F.lit(None).cast("boolean"), "decision_no": F.lit(0).cast("long")}
        rows = versions.withColumns(blank)
    else:
        status = version_status(decisions)
        rows = versions.join(status, on="labeler_version", how="left").fillna(0, ["decision_no"])
    return [row.asDict() for row in rows.collect()]


def in_force(rows: list[Row]) -> Row | None:
    """Find the version that labels: of those that are admitted now, the one admitted last."""
    admitted = [row for row in rows if row["admitted"]]
    return max(admitted, key=lambda row: int(row["decision_no"]), default=None)


def read_labels(warehouse: Warehouse) -> DataFrame:
    """Read relevance_labels of all sources as of the run date.

    A run for an earlier date than the tables have served leaves out the labels made since.
    """
    made_since = F.to_date("labelled_at") > F.lit(warehouse.conf.run_date)
    return warehouse.read(RELEVANCE_LABELS).where(F.coalesce(~made_since, F.lit(True)))


def labels_in_force(warehouse: Warehouse) -> DataFrame:
    """Labels as of the run date, grades of people as audited where conf asks for it.

    Grades of test queries stay as given: what judges is never changed by what is judged.
    """
    labels = read_labels(warehouse)
    if not warehouse.conf.tree.training_set.audited:
        return labels
    audit = read_optional(warehouse, LABEL_AUDIT)
    if audit is None:
        warehouse.report.notes.append("training_set.audited: no audit yet, grades as given")
        return labels
    latest = latest_audit(audit, warehouse.conf.run_date)
    buckets = warehouse.conf.tree.split.test
    test = warehouse.read(QUERIES).where(F.col("bucket").isin(*buckets)).select("query_id")
    changed = audited_labels(labels, latest.join(test, on="query_id", how="left_anti"))
    return changed.drop("original_grade")


def conf_key(tree: Conf, sections: Sequence[str]) -> str:
    """Hash of the conf that decides what a labeler becomes, its data apart.

    Args:
        sections: those that the fit reads. Of `labeler` the kinds that are not chosen, nor members
            of the ensemble that is, do not count.
    """
    dumped = tree.model_dump(mode="json", include={*_BESIDE, *sections})
    unused = set(get_args(LabelerKind)) - {tree.labeler.kind}
    if tree.labeler.kind == "ensemble":
        unused -= set(tree.labeler.ensemble.members)
    for kind in unused:
        del dumped["labeler"][kind]
    leaves = flatten_tree(dumped)
    return section_hash({key: leaves[key] for key in leaves if not _may_differ(key)})


def _may_differ(key: str) -> bool:
    return any(key == free or key.startswith(f"{free}.") for free in MAY_DIFFER)
