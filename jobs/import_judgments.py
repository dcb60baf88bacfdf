"""Makes `rater_answers`, `resolved_judgments` and human labels from the files that raters send.

Grain: one row per run, pair and rater; one row per run and pair; one label per query and item.
Inputs: judgment_sample, queries, and CSV files (pair, rater, grade) of conf `judging.answers`, or
all in judging/<run date>/answers under the storage root.
Idempotency: the rows of the run date, and the labels of its version `judging-<run date>`, are
replaced. Rows that break a rule go to the quarantine with their reason.
Run: counterpoise import_judgments --conf FILE --run-date DATE   (the run date of the sample)
"""

import numpy as np
from pyspark.sql import DataFrame, SparkSession

from conf.errors import UserError
from conf.load import ResolvedConf
from features.contracts import (
    JUDGMENT_SAMPLE,
    QUARANTINE,
    QUERIES,
    RATER_ANSWERS,
    RELEVANCE_LABELS,
    RESOLVED_JUDGMENTS,
)
from features.judging.agreement import (
    Confusion,
    count_confusions,
    grade_counts,
    krippendorff_alpha,
)
from features.judging.answers import (
    VERSION_PREFIX,
    checked_answers,
    judged_labels,
    resolve_answers,
)
from features.labels.grades import GRADES
from features.quality.verdicts import build_quarantine, by_rule, select_accepted
from jobs.platform.job import Job
from jobs.platform.plans import cut_plan
from jobs.platform.report import JobReport
from jobs.platform.run import Run
from jobs.platform.warehouse import Warehouse
from jobs.sources.base import require_columns
from jobs.sources.files import read_delimited
from model.labelers.metrics import compute_kappa

_COLUMNS = ("pair", "rater", "grade")


class AnswersError(UserError, ValueError):
    """There are no answers to import; the message says where they belong."""


def build(answers: DataFrame, conf: ResolvedConf) -> DataFrame:
    """Build the resolved judgments of accepted answers, one row per pair."""
    return answers.transform(lambda df: resolve_answers(df, conf.tree.judging))


def run(run: Run) -> None:
    """Check the answers, report the agreement, resolve them and write."""
    warehouse, conf, report = run.warehouse, run.conf, run.report
    sample = warehouse.read_run(JUDGMENT_SAMPLE)
    raw = _raw_answers(warehouse)
    dataset = f"{VERSION_PREFIX}{conf.run_date.isoformat()}"
    checked = cut_plan(checked_answers(raw, sample, conf.run_date, dataset))
    answers = select_accepted(checked)
    report.details["agreement"] = measure_agreement(answers)
    report.notes.append(_describe_agreement(report))
    _write_answers(warehouse, checked, raw.count(), dataset)
    judgments = cut_plan(build(answers, conf))
    written = warehouse.replace_run(RESOLVED_JUDGMENTS, judgments)
    report.count_rows(RESOLVED_JUDGMENTS.name, judgments.count(), written.rows)
    outcomes = judgments.groupBy("outcome").count().collect()
    report.details["outcomes"] = {row["outcome"]: int(row["count"]) for row in outcomes}
    labels = judged_labels(judgments, warehouse.read(QUERIES), conf.run_date, conf.tree.labels)
    ours = f"source = 'human' AND labeler_version = '{dataset}'"
    merged = warehouse.merge(RELEVANCE_LABELS, labels, prune=ours)
    report.count_rows(RELEVANCE_LABELS.name, labels.count(), merged.rows)


def measure_agreement(answers: DataFrame) -> dict[str, object]:
    """Compute Krippendorff's alpha of all raters, and the kappa and shared pairs of each two."""
    kappas = [
        {
            "raters": f"{a} / {b}",
            "pairs": sum(confusion.values()),
            "weighted_kappa": compute_rater_kappa(confusion),
        }
        for (a, b), confusion in count_confusions(answers).items()
    ]
    return {"krippendorff_alpha": krippendorff_alpha(grade_counts(answers)), "kappas": kappas}


def compute_rater_kappa(confusion: Confusion) -> float | None:
    """Compute quadratic weighted kappa; None without pairs, or where both raters gave one and the
    same grade throughout."""
    table = [[confusion.get((a, b), 0) for b in GRADES] for a in GRADES]
    kappa = float(compute_kappa(np.asarray(table, np.float64)))
    return None if np.isnan(kappa) else kappa


def _raw_answers(warehouse: Warehouse) -> DataFrame:
    """Read all files as text columns.

    Raises:
        AnswersError: there is no file.
        SourceError: a file cannot be read, or lacks a column.
    """
    folder = warehouse.judging_dir() / "answers"
    paths = list(warehouse.conf.tree.judging.answers) or [
        str(path) for path in sorted(folder.glob("*.csv"))
    ]
    if not paths:
        raise AnswersError(
            f"no answers: put the raters' CSV files into {folder}, or name them in judging.answers"
        )
    frames = [_read_file(warehouse.spark, path) for path in paths]
    answers = frames[0]
    for frame in frames[1:]:
        answers = answers.unionByName(frame)
    return answers


def _read_file(spark: SparkSession, path: str) -> DataFrame:
    frame = require_columns(read_delimited(spark, path, multiline=True), _COLUMNS, path)
    return frame.select(*_COLUMNS, "_malformed")


def _write_answers(warehouse: Warehouse, checked: DataFrame, rows_in: int, dataset: str) -> None:
    conf, report = warehouse.conf, warehouse.report
    rules = by_rule(checked)
    report.details["quarantined"] = rules
    if rules:
        listed = ", ".join(f"{rule} {count}" for rule, count in rules.items())
        report.notes.append(f"answers quarantined: {listed}")
    rows = build_quarantine({RATER_ANSWERS: checked}, conf.run_date, dataset)
    where = f"run_date = DATE'{conf.run_date}' AND table_name = '{RATER_ANSWERS.name}'"
    broken = warehouse.replace(QUARANTINE, rows, where)
    report.count_rows(QUARANTINE.name, sum(rules.values()), broken.rows)
    written = warehouse.replace_run(RATER_ANSWERS, select_accepted(checked))
    report.count_rows(RATER_ANSWERS.name, rows_in, written.rows, broken.rows)


def _describe_agreement(report: JobReport) -> str:
    figures = report.details["agreement"]
    kappas = [k["weighted_kappa"] for k in figures["kappas"] if k["weighted_kappa"] is not None]
    alpha = figures["krippendorff_alpha"]
    described = "not defined" if alpha is None else f"{alpha:.3f}"
    between = f", weighted kappa {min(kappas):.3f} to {max(kappas):.3f}" if kappas else ""
    return f"agreement: Krippendorff's alpha (ordinal) {described}{between}"


JOB = Job(
    run,
    summary="import raters' answers, tell their agreement, resolve them to human labels",
    reads=(JUDGMENT_SAMPLE, QUERIES),
    writes=(RATER_ANSWERS, RESOLVED_JUDGMENTS, RELEVANCE_LABELS, QUARANTINE),
    sections=("judging", "labels"),
    artifacts_in=("judging",),
)
