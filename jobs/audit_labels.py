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

from pyspark import StorageLevel
from pyspark.sql import DataFrame

from conf.load import ResolvedConf
from features.audit.contradiction import Numerics, checked_units, fit_without_outliers
from features.audit.decisions import audit_rows, with_decisions
from features.audit.evidence import audited_pairs, pair_engagement, units, with_attraction
from features.audit.rates import CORRELATIONS, DISPERSIONS, GradeRates, rates_json
from features.audit.reading import with_reading
from features.audit.taxonomy import with_type_evidence
from features.audit.types import item_types
from features.contracts import IMPRESSIONS, ITEMS, LABEL_AUDIT, QUERIES, RELEVANCE_LABELS
from jobs.labels.second_reading import Reading, read_again
from jobs.platform.job import Job
from jobs.platform.plans import cut
from jobs.platform.report import JobReport
from jobs.platform.run import Run
from jobs.platform.warehouse import Warehouse
from udfs.contradiction import centre_udf, contradiction_udf, p_value_udf


@dataclass(frozen=True)
class Evidence:
    """What a decision rests on.

    Attributes:
        pairs: the audited pairs.
        units: their units with the engagement test and what a model said of them.
        types: item_id, item_type.
    """

    pairs: DataFrame
    units: DataFrame
    types: DataFrame


def build(evidence: Evidence, conf: ResolvedConf) -> DataFrame:
    """The rows of label_audit: taxonomy and decision of each pair."""
    audit = conf.tree.audit
    decided = evidence.units.transform(
        lambda df: with_type_evidence(df, evidence.types, audit.taxonomy)
    ).transform(lambda df: with_decisions(df, audit))
    return audit_rows(evidence.pairs, decided, conf.run_date)


def evidence_units(pairs: DataFrame, impressions: DataFrame, conf: ResolvedConf) -> DataFrame:
    """The units of the pairs with their counts and expected clicks."""
    engagement = pair_engagement(impressions, conf.tree, conf.run_date)
    prior = conf.tree.audit.contradiction.prior_clicks
    return units(pairs, engagement).transform(lambda df: with_attraction(df, prior))


def run(run: Run) -> None:
    """Test, read again, decide, write."""
    warehouse, conf, report = run.warehouse, run.conf, run.report
    labels, queries, items = map(warehouse.read, (RELEVANCE_LABELS, QUERIES, ITEMS))
    impressions = warehouse.read(IMPRESSIONS)
    pairs = cut(audited_pairs(labels, queries))
    count = pairs.count()
    if count == 0:
        report.notes.append("no human labels to audit")
    if count == 0 or conf.dry_run:
        report.count(LABEL_AUDIT.name, count, count)
        return
    rows = _audit(pairs, items, impressions, warehouse).persist(StorageLevel.DISK_ONLY)
    written = warehouse.replace_run(LABEL_AUDIT, rows)
    report.count(LABEL_AUDIT.name, count, written.rows)
    _tell(rows, report)
    rows.unpersist()


def _audit(
    pairs: DataFrame, items: DataFrame, impressions: DataFrame, warehouse: Warehouse
) -> DataFrame:
    conf = warehouse.conf
    found, rates = tested_units(cut(evidence_units(pairs, impressions, conf)), conf)
    warehouse.report.details["rates"] = rates_json(rates)
    checked = cut(found)
    folder = warehouse.root / "audit" / conf.run_date.isoformat()
    reading = read_again(checked, items, conf, folder)
    if not reading.held_out:
        warehouse.report.notes.append(
            f"the labeler at {conf.tree.audit.reread.labeler} may have been fitted on the grades "
            "that it read again: model_held_out is false"
        )
    return build(gathered(pairs, checked, reading, items, conf), conf)


def gathered(
    pairs: DataFrame, checked: DataFrame, reading: Reading, items: DataFrame, conf: ResolvedConf
) -> Evidence:
    """All evidence; a pair is read by the model once, a title is parsed once."""
    units_read = cut(with_reading(checked, reading.read, reading.held_out))
    return Evidence(pairs, units_read, cut(item_types(items, conf.tree.audit.taxonomy)))


def tested_units(
    counted: DataFrame, conf: ResolvedConf
) -> tuple[DataFrame, Mapping[int, GradeRates]]:
    """The units with their test, and the rates of the grades that it rests on."""
    settings = conf.tree.audit.contradiction
    numerics = Numerics(contradiction_udf(), centre_udf(DISPERSIONS, CORRELATIONS), p_value_udf())
    rates = fit_without_outliers(counted, settings, numerics)
    return counted.transform(lambda df: checked_units(df, rates, settings, numerics)), rates


def _tell(rows: DataFrame, report: JobReport) -> None:
    """Rows by path and decision, in the details and in a note."""
    counted = rows.groupBy("path", "decision", "flagged_by").count().collect()
    found = sorted((r["path"], r["decision"], r["flagged_by"], int(r["count"])) for r in counted)
    report.details["decisions"] = [
        {"path": path, "decision": decision, "flagged_by": flag, "pairs": pairs}
        for path, decision, flag, pairs in found
    ]
    changed = sum(pairs for _, decision, _, pairs in found if decision != "kept")
    flagged = sum(pairs for _, _, flag, pairs in found if flag != "none")
    report.notes.append(
        f"{flagged:,} pairs flagged, {changed:,} grades changed in the audited view"
    )


JOB = Job(
    run,
    summary="find human grades that engagement, a model and the query's types contradict",
    reads=(RELEVANCE_LABELS, QUERIES, ITEMS, IMPRESSIONS),
    writes=(LABEL_AUDIT,),
    sections=("audit", "labeler", "encoder", "features"),
)
