"""Makes `label_audit`: which human grades are likely wrong, why, and what they should be.

Grain: one row per run and human-graded query and item, with the decision and its evidence.
Inputs: relevance_labels (human ones), queries, items, impressions; a labeler directory by conf
`audit.reread.labeler`, else labelers fitted here, out of fold, under audit/<run date>/.
Idempotency: the rows of the run date are replaced. The labels themselves are never changed:
`features.audit.decisions.audited_labels` derives the audited view.
Run: counterpoise audit_labels --conf FILE [--run-date DATE]

Engagement contradicts a grade where the clicks, carts and purchases of the pair, given where it was
shown and how attractive its item is elsewhere, are too many or too few for pairs of that grade
(`features.audit.contradiction`). Such pairs, and by conf all others, are read again by a model;
where human and model differ, the types that the query is for decide (`features.audit.taxonomy`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pyspark import StorageLevel
from pyspark.sql import DataFrame

from conf.load import ResolvedConf
from features.audit.contradiction import Numerics, checked_units, fit_without_outliers
from features.audit.decisions import audit_rows, with_decisions
from features.audit.evidence import (
    UNIT,
    audited_pairs,
    build_units,
    pair_engagement,
    with_attraction,
)
from features.audit.rates import CORRELATIONS, DISPERSIONS, GradeRates, rates_json
from features.audit.reading import pairs_to_fit, texts_to_read, with_reading
from features.audit.taxonomy import with_type_evidence
from features.audit.types import item_types
from features.contracts import IMPRESSIONS, ITEMS, LABEL_AUDIT, QUERIES, RELEVANCE_LABELS
from jobs.platform.job import Job
from jobs.platform.plans import cut_plan
from jobs.platform.report import JobReport
from jobs.platform.run import Run
from jobs.platform.warehouse import Warehouse
from model.labelers.base import Labeler, Pairs, Targets
from model.labelers.build import build_labeler
from model.labelers.out_of_fold import FoldLabelers, fit_out_of_fold
from model.labelers.store import read_description
from udfs.contradiction import centre_udf, contradiction_udf, p_value_udf
from udfs.read_texts import split_udf
from udfs.reread import READ_COLUMNS, make_reader


@dataclass(frozen=True)
class SecondReading:
    """What a model said of units (see `features.audit.reading.with_reading`).

    `held_out`: the model was not fitted on the grades that it read again.
    """

    read: DataFrame
    held_out: bool


@dataclass(frozen=True)
class AuditEvidence:
    """What a decision rests on.

    Attributes:
        pairs: the audited pairs.
        units: their units with the engagement test and what a model said of them.
        types: item_id, item_type.
    """

    pairs: DataFrame
    units: DataFrame
    types: DataFrame


def build(evidence: AuditEvidence, conf: ResolvedConf) -> DataFrame:
    """Build the rows of label_audit: taxonomy and decision of each pair."""
    audit = conf.tree.audit
    split = split_udf(conf.tree.language)
    decided = evidence.units.transform(
        lambda df: with_type_evidence(df, evidence.types, audit.taxonomy, split)
    ).transform(lambda df: with_decisions(df, audit))
    return audit_rows(evidence.pairs, decided, conf.run_date)


def evidence_units(pairs: DataFrame, impressions: DataFrame, conf: ResolvedConf) -> DataFrame:
    """Return the units of the pairs with their counts and expected clicks."""
    engagement = pair_engagement(impressions, conf.tree, conf.run_date)
    prior = conf.tree.audit.contradiction.prior_clicks
    return build_units(pairs, engagement).transform(lambda df: with_attraction(df, prior))


def run(run: Run) -> None:
    """Test, read again, decide, write."""
    warehouse, conf, report = run.warehouse, run.conf, run.report
    labels, queries, items = map(warehouse.read, (RELEVANCE_LABELS, QUERIES, ITEMS))
    impressions = warehouse.read(IMPRESSIONS)
    pairs = cut_plan(audited_pairs(labels, queries))
    count = pairs.count()
    if count == 0:
        report.notes.append("no human labels to audit")
    if count == 0 or conf.dry_run:
        report.count_rows(LABEL_AUDIT.name, count, count)
        return
    rows = _audit_pairs(pairs, items, impressions, warehouse).persist(StorageLevel.DISK_ONLY)
    written = warehouse.replace_run(LABEL_AUDIT, rows)
    report.count_rows(LABEL_AUDIT.name, count, written.rows)
    _report_decisions(rows, report)
    rows.unpersist()


def _audit_pairs(
    pairs: DataFrame, items: DataFrame, impressions: DataFrame, warehouse: Warehouse
) -> DataFrame:
    conf = warehouse.conf
    tested, rates = tested_units(cut_plan(evidence_units(pairs, impressions, conf)), conf)
    warehouse.report.details["rates"] = rates_json(rates)
    checked = cut_plan(tested)
    folder = warehouse.root / "audit" / conf.run_date.isoformat()
    reading = reread_units(checked, items, conf, folder)
    if not reading.held_out:
        warehouse.report.notes.append(
            f"the labeler at {conf.tree.audit.reread.labeler} may have been fitted on the grades "
            "that it read again: model_held_out is false"
        )
    return build(gather_audit_evidence(pairs, checked, reading, items, conf), conf)


def gather_audit_evidence(
    pairs: DataFrame,
    checked: DataFrame,
    reading: SecondReading,
    items: DataFrame,
    conf: ResolvedConf,
) -> AuditEvidence:
    """Gather all evidence; a pair is read by the model once, a title is parsed once."""
    units_read = cut_plan(with_reading(checked, reading.read, reading.held_out))
    language = conf.tree.language
    types = item_types(items, conf.tree.audit.taxonomy, language, split_udf(language))
    return AuditEvidence(pairs, units_read, cut_plan(types))


def tested_units(
    counted: DataFrame, conf: ResolvedConf
) -> tuple[DataFrame, Mapping[int, GradeRates]]:
    """Test the units, and return them with the rates of the grades that the test rests on."""
    settings = conf.tree.audit.contradiction
    numerics = Numerics(contradiction_udf(), centre_udf(DISPERSIONS, CORRELATIONS), p_value_udf())
    rates = fit_without_outliers(counted, settings, numerics)
    return counted.transform(lambda df: checked_units(df, rates, settings, numerics)), rates


def _report_decisions(rows: DataFrame, report: JobReport) -> None:
    """Report rows by path and decision, in the details and in a note."""
    counted = rows.groupBy("path", "decision", "flagged_by").count().collect()
    decisions = sorted(
        (r["path"], r["decision"], r["flagged_by"], int(r["count"])) for r in counted
    )
    report.details["decisions"] = [
        {"path": path, "decision": decision, "flagged_by": flag, "pairs": pairs}
        for path, decision, flag, pairs in decisions
    ]
    changed = sum(pairs for _, decision, _, pairs in decisions if decision != "kept")
    flagged = sum(pairs for _, _, flag, pairs in decisions if flag != "none")
    report.notes.append(
        f"{flagged:,} pairs flagged, {changed:,} grades changed in the audited view"
    )


def reread_units(
    tested: DataFrame, items: DataFrame, conf: ResolvedConf, folder: Path
) -> SecondReading:
    """Read the units of conf `audit.reread.scope` again; lazy, but for the fitting.

    Args:
        tested: units with `contradicts`.
        folder: where labelers that are fitted here are kept, readable by the workers.

    Raises:
        LabelerError: the directory is no labeler, or the grades are too few to fit one.
    """
    settings = conf.tree.audit.reread
    asked = texts_to_read(tested, items, settings, conf.tree.seed)
    if settings.labeler is None:
        labelers = _fit_fold_labelers(tested, items, conf, folder)
    else:
        version = str(read_description(Path(settings.labeler))["version"])
        folds = range(settings.folds)
        labelers = FoldLabelers(
            dict.fromkeys(folds, settings.labeler), dict.fromkeys(folds, version), {}
        )
    schema = ", ".join(f"{name} {kind}" for name, kind in asked.dtypes if "_text" not in name)
    parts = conf.tree.spark.shuffle_partitions
    read = asked.repartition(parts, *UNIT).mapInPandas(
        make_reader(labelers.folders, labelers.versions, parts), f"{schema}, {READ_COLUMNS}"
    )
    return SecondReading(read, settings.labeler is None or settings.held_out)


def _fit_fold_labelers(
    tested: DataFrame, items: DataFrame, conf: ResolvedConf, folder: Path
) -> FoldLabelers:
    """Fit the labelers of the folds on the driver; the pairs are bounded by conf."""
    given = pairs_to_fit(tested, items, conf.tree.audit.reread, conf.tree.seed).toPandas()
    return fit_out_of_fold(
        Pairs(given["query_text"].tolist(), given["item_text"].tolist()),
        Targets.from_grades(given["grade"].to_numpy(np.int64)),
        given["fold"].to_numpy(np.int64),
        given["validates"].to_numpy(bool),
        lambda: _new_labeler(conf),
        folder,
    )


def _new_labeler(conf: ResolvedConf) -> Labeler:
    kind = conf.tree.audit.reread.kind
    labeler = conf.tree.labeler.model_copy(update={"kind": kind})
    return build_labeler(conf.tree.model_copy(update={"labeler": labeler}))


JOB = Job(
    run,
    summary="find human grades that engagement, a model and the query's types contradict",
    reads=(RELEVANCE_LABELS, QUERIES, ITEMS, IMPRESSIONS),
    writes=(LABEL_AUDIT,),
    sections=("audit", "labeler", "encoder", "features", "language"),
)
