"""Makes training_examples and the snapshot that a trainer reads.

Grain: one row per impression of the days [R - features.training_days, R - 1] whose query is in a
split, and per labelled pair that none of them shows; impressions whose look-back begins before the
log are left out by the rule of conf `training_set.short_look_back`. Ungraded pairs join them where
conf `training_set.negatives` gives them weight. Inputs: impressions, queries, candidates,
relevance_labels, labeler_decisions (labels of models that are not admitted stay out), label_audit
where conf `training_set.audited`, and the run's query_features, item_features and
query_item_features.
Idempotency key: run_date; the snapshot folder of the run date is replaced as a whole.

    counterpoise build_training_set --conf conf/homedepot.yaml --run-date 2026-03-01
"""

from dataclasses import asdict, replace
from typing import Any

from pyspark.sql import DataFrame, Observation
from pyspark.sql import functions as F

from conf.load import ResolvedConf
from features.contracts import (
    CANDIDATES,
    IMPRESSIONS,
    ITEM_FEATURES,
    LABEL_AUDIT,
    LABELER_DECISIONS,
    QUERIES,
    QUERY_FEATURES,
    QUERY_ITEM_FEATURES,
    RELEVANCE_LABELS,
    TRAINING_EXAMPLES,
)
from features.contracts.training import TASKS
from features.declarations import declare_features
from features.examples.label_choice import PAIR
from features.examples.snapshot import training_layout
from features.examples.training_rows import (
    TrainingInputs,
    shown_rows,
    training_examples,
    weighted_labels,
)
from features.log.history import visible_log
from features.log.look_back import LookBack, covered_from, first_day_of_log
from features.lookup import MISSING
from features.spec import spec_json
from jobs.command.version import code_version
from jobs.labels.labelers import labels_in_force, read_optional
from jobs.platform.feature_reads import note_missing, read_examples, read_features
from jobs.platform.job import Job
from jobs.platform.report import JobReport
from jobs.platform.run import Run
from jobs.platform.snapshot import SnapshotOptions, write_snapshot
from jobs.platform.warehouse import Warehouse


def build(inputs: TrainingInputs, conf: ResolvedConf) -> DataFrame:
    """Build the rows of training_examples, and beside them the flags of missing feature rows."""
    return training_examples(inputs, conf.tree, conf.run_date)


def run(run: Run) -> None:
    """Write the training examples and, unless it is a dry run, the snapshot."""
    warehouse, conf, report = run.warehouse, run.conf, run.report
    inputs = limit_to_covered(read_inputs(warehouse), conf, report)
    missing = Observation("missing_features")
    rows = build(inputs, conf).observe(missing, *(F.sum(name).alias(name) for name in MISSING))
    written = warehouse.replace_run(TRAINING_EXAMPLES, rows)
    report.count_rows(TRAINING_EXAMPLES.name, expected_rows(inputs, conf), written.rows)
    note_missing(report, missing.get)
    if not conf.dry_run:
        _write_snapshot(warehouse, conf, report)


def read_inputs(warehouse: Warehouse) -> TrainingInputs:
    """Read the tables at their pinned versions."""
    return TrainingInputs(
        impressions=warehouse.read(IMPRESSIONS),
        queries=warehouse.read(QUERIES),
        labels=labels_in_force(warehouse),
        features=read_features(warehouse),
        decisions=read_optional(warehouse, LABELER_DECISIONS),
        candidates=warehouse.read_run(CANDIDATES),
    )


def limit_to_covered(
    inputs: TrainingInputs, conf: ResolvedConf, report: JobReport
) -> TrainingInputs:
    """Limit the inputs to the days whose look-back counts; the report says what is left out.

    Raises:
        LookBackError: the conf leaves out short look-backs, and no example is left.
    """
    log = visible_log(inputs.impressions, conf.run_date)
    days = [row["event_date"] for row in log.select("event_date").distinct().collect()]
    if not days:
        return inputs
    starts = first_day_of_log(sorted(days))
    first_covered = covered_from(starts)
    short = F.count_if(F.col("event_date") < F.lit(first_covered))
    shown = shown_rows(inputs, conf.tree, conf.run_date)
    counts = shown.agg(F.count("*").alias("examples"), short.alias("short")).collect()[0]
    look_back = LookBack(starts, counts["examples"], counts["short"])
    left_out = look_back.are_left_out(conf.tree.training_set.short_look_back)
    if look_back.short:
        lines = report.notes if left_out else report.warnings
        lines.append(look_back.describe(left_out))
    report.details["look_back"] = {**asdict(look_back), "left_out": left_out}
    return replace(inputs, examples_from=first_covered) if left_out else inputs


def expected_rows(inputs: TrainingInputs, conf: ResolvedConf) -> int:
    """Count the impressions of the window, and the labelled pairs and negatives that none of them
    shows."""
    shown = shown_rows(inputs, conf.tree, conf.run_date)
    labelled = weighted_labels(inputs, shown, conf.tree, conf.run_date)
    unshown = labelled.join(shown.select(*PAIR), on=PAIR, how="left_anti")
    return shown.count() + unshown.count()


def _write_snapshot(warehouse: Warehouse, conf: ResolvedConf, report: JobReport) -> None:
    examples = read_examples(warehouse)
    settings = conf.tree.training_set
    options = SnapshotOptions(conf.tree.seed, settings.rows_per_file, settings.compression)
    folder, layout = warehouse.snapshot_dir(), training_layout(declare_features(conf.tree))
    manifest = write_snapshot(examples, folder, options, _build_header(conf, report), layout)
    rows = sum(split["rows"] for split in manifest["splits"].values())
    report.count_rows("snapshot", examples.where("split != 'test'").count(), rows)
    report.outputs["snapshot"] = manifest["snapshot_version"]
    report.details["snapshot"] = {
        name: {"rows": split["rows"], "files": len(split["files"])}
        for name, split in manifest["splits"].items()
    }


def _build_header(conf: ResolvedConf, report: JobReport) -> dict[str, Any]:
    return {
        "conf_hash": conf.hash,
        "code_version": code_version(),
        "table_versions": dict(report.inputs),
        "features": spec_json(declare_features(conf.tree)),
        "tasks": list(TASKS),
        "regions": list(conf.tree.regions),
    }


JOB = Job(
    run,
    summary="training examples and the snapshot that a trainer reads",
    reads=(
        IMPRESSIONS,
        QUERIES,
        CANDIDATES,
        RELEVANCE_LABELS,
        LABELER_DECISIONS,
        LABEL_AUDIT,
        QUERY_FEATURES,
        ITEM_FEATURES,
        QUERY_ITEM_FEATURES,
    ),
    may_lack=(LABELER_DECISIONS, LABEL_AUDIT),
    writes=(TRAINING_EXAMPLES,),
    sections=("features", "training_set"),
    artifacts_out=("snapshot",),
)
