"""Makes a labeler version from human grades, where none serves yet.

Output: `storage.root`/labelers/VERSION (see `model.labelers.deployed`), and
Grain: one row of labeler_versions per fitted labeler, one of labeler_queries per text it saw.
Inputs: relevance_labels (human ones), queries, items, labeler_decisions; impressions where conf
`labeling.mix.production` asks for what is shown; label_audit where `training_set.audited` does.
Idempotency key: conf and human grades: an equal version that exists is not fitted again.
Run: counterpoise finetune_labeler --conf FILE [--run-date DATE]

Grades of the training buckets are fitted on, those of the validation buckets choose and may join a
last fit, but for the gold set, which `admit_labeler` alone reads; test buckets are never touched.
Which pairs are drawn, and of what grades, is up to conf `labeling`. Where labels of source
`assumed` exist, some of the training buckets are fitted on, too.
"""

import json
from collections.abc import Mapping
from typing import Any

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
from features.labels.pairs import (
    CHOOSE,
    FIT,
    GOLD,
    Counts,
    assumed_texts,
    counts_by_role,
    data_key,
    distinct_texts,
    graded_pairs,
)
from jobs.labels.labeler_fit import FittedLabeler, fit_labeler
from jobs.labels.labelers import (
    Row,
    conf_key,
    labeler_dir,
    labels_in_force,
    versions_with_status,
)
from jobs.platform.job import Job
from jobs.platform.report import JobReport
from jobs.platform.run import Run
from jobs.platform.warehouse import Warehouse
from model.labelers.base import LabelerError
from model.labelers.deployed import save_deployed
from model.labelers.gate.gate import drop_nan
from model.labelers.mix.sampling import format_mix, require_all_grades

_SETS = {FIT: "the pairs to fit on", CHOOSE: "the pairs that choose", GOLD: "the gold set"}


def build(
    fitted: FittedLabeler, keys: Mapping[str, str], conf: ResolvedConf, simulated: bool
) -> Row:
    """Build the row of labeler_versions."""
    deployed = fitted.deployed
    deployment = deployed.deployment
    return {
        "labeler_version": deployed.version,
        "kind": deployed.labeler.kind,
        "run_date": conf.run_date,
        **keys,
        "folder": f"labelers/{deployed.version}",
        "fit_pairs": len(fitted.fit),
        "choose_pairs": len(fitted.choose),
        "fitted_mix": list(deployment.fitted_mix),
        "production_mix": list(deployment.production_mix),
        "corrected": deployment.corrects,
        "metrics": json.dumps(drop_nan(fitted.metrics)),
        "simulated": simulated,
        "prompt_hash": deployed.prompt_hash,
    }


def run(run: Run) -> None:
    """Fit, unless a version serves, or there is too little to fit on.

    Raises:
        LabelerError: conf `labeling.required` and too few human grades; or the fit fails.
    """
    warehouse, conf, report = run.warehouse, run.conf, run.report
    if not conf.tree.labeling.enabled:
        report.notes.append("labeling.enabled is false: no labeler is fitted")
        return
    queries, items = warehouse.read(QUERIES), warehouse.read(ITEMS)
    labels = labels_in_force(warehouse)
    graded = graded_pairs(labels, queries, items, conf.tree).persist()
    texts = distinct_texts(graded).persist()
    assumed = assumed_texts(labels, graded, queries, items, conf.tree)
    try:
        counts = counts_by_role(texts)
        report.details["pairs"] = {role: list(numbers) for role, numbers in counts.items()}
        if not _has_enough(counts, conf, report):
            return
        keys = {
            "conf_key": conf_key(conf.tree, JOB.sections),
            "data_key": data_key(texts.unionByName(assumed)),
        }
        serves = _find_serving(warehouse, keys)
        if serves is not None:
            report.notes.append(serves)
        elif conf.dry_run:
            report.count_rows(LABELER_VERSIONS.name, 1, 1)
            report.notes.append(f"dry run: would fit {conf.tree.labeler.kind} on {counts[FIT]}")
        else:
            simulated = bool(graded.where("simulated").limit(1).count())
            fitted = fit_labeler(warehouse, graded, texts, assumed, counts)
            _write_version(warehouse, fitted, build(fitted, keys, conf, simulated))
    finally:
        texts.unpersist()
        graded.unpersist()


def _has_enough(counts: Mapping[str, Counts], conf: ResolvedConf, report: JobReport) -> bool:
    """Return whether there are grades to fit, to choose and to judge on; what lacks is noted."""
    try:
        for role, what in _SETS.items():
            pairs = sum(counts[role])
            if pairs < conf.tree.labeling.min_pairs:
                raise LabelerError(
                    f"{what} are {pairs} pairs of texts, labeling.min_pairs asks for "
                    f"{conf.tree.labeling.min_pairs}"
                )
            require_all_grades(counts[role], what)
    except LabelerError as error:
        if conf.tree.labeling.required:
            raise
        report.notes.append(f"no labeler is fitted: {error}")
        return False
    return True


def _find_serving(warehouse: Warehouse, keys: Mapping[str, str]) -> str | None:
    """Find why no labeler is fitted: one serves, or an equal one was tried; None: fit."""
    always = warehouse.conf.tree.labeling.refit == "data_changed"
    for row in versions_with_status(warehouse):
        version, same_data = row["labeler_version"], row["data_key"] == keys["data_key"]
        if row["conf_key"] != keys["conf_key"] or not _is_there(warehouse, version):
            continue
        if row["admitted"] and (same_data or not always):
            return f"version {version} of this conf is admitted: nothing to fit"
        if same_data and row["admitted"] is None:
            return f"version {version} is fitted already and waits for admit_labeler"
        if same_data:
            return (
                f"version {version} of this conf and these grades was refused or revoked: another "
                "fit would give the same; change the conf or have more pairs judged"
            )
    return None


def _is_there(warehouse: Warehouse, version: str) -> bool:
    return (labeler_dir(warehouse, version) / "labeler.json").is_file()


def _write_version(warehouse: Warehouse, fitted: FittedLabeler, row: Row) -> None:
    """Write directory and texts first: the row of the version says that both are complete."""
    report, spark = warehouse.report, warehouse.spark
    version = row["labeler_version"]
    extra = {"metrics": drop_nan(fitted.metrics), "conf_hash": warehouse.conf.hash}
    save_deployed(fitted.deployed, labeler_dir(warehouse, version), extra)
    seen = _query_rows(fitted, version)
    texts = warehouse.merge(LABELER_QUERIES, LABELER_QUERIES.local_frame(spark, seen))
    report.count_rows(LABELER_QUERIES.name, len(seen), texts.rows)
    written = warehouse.merge(LABELER_VERSIONS, LABELER_VERSIONS.local_frame(spark, [row]))
    report.count_rows(LABELER_VERSIONS.name, 1, written.rows)
    report.details |= {
        "labeler_version": version,
        "seconds": round(fitted.report.seconds, 1),
        "metrics": fitted.metrics,
        "fit": fitted.report.details,
    }
    report.notes.append(
        f"labeler {version} ({row['kind']}): {row['fit_pairs']:,} pairs"
        f"{f', {fitted.assumed:,} of them assumed irrelevant,' if fitted.assumed else ''} in "
        f"{fitted.report.seconds:.0f} s; on {row['choose_pairs']:,} others kappa "
        f"{fitted.metrics['qwk']:.3f}, exact {fitted.metrics['exact']:.3f}, within one "
        f"{fitted.metrics['within_one']:.3f}"
    )
    if row["corrected"]:
        report.notes.append(
            f"answers corrected from the mix {format_mix(row['fitted_mix'])} to "
            f"{format_mix(row['production_mix'])}"
        )


def _query_rows(fitted: FittedLabeler, version: str) -> list[dict[str, Any]]:
    """Make rows of labeler_queries; roles are by text, so no text has two."""
    texts = dict.fromkeys(fitted.choose["text_key"], CHOOSE)
    texts |= dict.fromkeys(fitted.fit["text_key"], FIT)
    return [
        {"labeler_version": version, "text_key": text, "role": role}
        for text, role in sorted(texts.items())
    ]


JOB = Job(
    run,
    summary="fit a relevance labeler on human grades, where none serves",
    reads=(RELEVANCE_LABELS, QUERIES, ITEMS, IMPRESSIONS, LABEL_AUDIT, LABELER_DECISIONS),
    may_lack=(LABEL_AUDIT, LABELER_DECISIONS),
    writes=(LABELER_VERSIONS, LABELER_QUERIES),
    sections=("labeler", "labeling", "encoder", "language", "training_set"),
)
