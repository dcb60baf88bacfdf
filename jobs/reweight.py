"""Makes score_trials and weight_trials: a trial of other weights beside the scores, no model.

Grain: score_trials one row per trial, query and candidate item; weight_trials one row per trial.
Inputs: the run's scores (their stored probabilities), and the weights of conf. The scores that are
served stay as they are. A trial is compared with them where they stand: how many of the top ranks
change, relevance and expected engagement by region, and where validation queries are judged,
relevance and engagement as `evaluate` measures them. Idempotency key: run_date and trial.

    counterpoise reweight --conf FILE --trial fit-up --set value.weights.relevance=0.5
    counterpoise reweight --conf FILE --list
    counterpoise reweight --conf FILE --drop fit-up
"""

import argparse
import json

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from conf.load import ResolvedConf
from features.contracts import (
    EXAMPLE_SCORES,
    LABELER_DECISIONS,
    QUERIES,
    RELEVANCE_LABELS,
    SCORE_TRIALS,
    SCORES,
    VALUE_WEIGHTS,
    WEIGHT_DECISIONS,
    WEIGHT_TRIALS,
)
from features.rerank import with_rank, with_value
from jobs.platform.job import Job, Work
from jobs.platform.run import Run
from jobs.serving.in_force import WeightsInForce, find_weights_in_force
from jobs.serving.trials import (
    TrialError,
    check_name,
    compare_trial,
    find_trial,
    format_trial,
    read_trials,
)
from model.value.weights import WeightTable


def build(scores: DataFrame, table: WeightTable, trial: str) -> DataFrame:
    """Build the rows of score_trials: those of scores under other weights."""
    by_region = {region: w.as_tuple() for region, w in table.by_region.items()}
    return (
        scores.transform(with_value(table.default.as_tuple(), by_region))
        .transform(with_rank("query_id"))
        .withColumn("trial", F.lit(trial))
    )


def try_weights(trial: str) -> Work:
    """Rank the stored probabilities of the run by conf's weights, under a name, and compare.

    Raises:
        TrialError: the name is none, or nothing was scored for the run date.
    """
    check_name(trial)

    def run(run: Run) -> None:
        warehouse, conf, report = run.warehouse, run.conf, run.report
        scores = warehouse.read_run(SCORES)
        scored = scores.select("model_version", "weights_version").first()
        if scored is None:
            raise TrialError(f"no scores of {conf.run_date}: `counterpoise nightly` makes them")
        weights = _weights_of_conf(conf)
        ranked = build(scores, weights.table, trial)
        where = f"run_date = DATE'{conf.run_date.isoformat()}' AND trial = '{trial}'"
        written = warehouse.replace(SCORE_TRIALS, ranked, where)
        report.count_rows(SCORE_TRIALS.name, scores.count(), written.rows)
        if not conf.dry_run:
            ranked = warehouse.read(SCORE_TRIALS).where(where)
        served = find_weights_in_force(warehouse)
        row = {
            "run_date": conf.run_date,
            "trial": trial,
            "weights": weights.table.to_json(),
            "weights_version": weights.version,
            "against": scored["weights_version"],
            "model_version": scored["model_version"],
            "figures": json.dumps(compare_trial(warehouse, scores, ranked, weights, served)),
        }
        written = warehouse.replace(
            WEIGHT_TRIALS, WEIGHT_TRIALS.local_frame(warehouse.spark, [row]), where
        )
        report.count_rows(WEIGHT_TRIALS.name, 1, written.rows)
        report.notes += format_trial(row)

    return run


def list_trials(run: Run) -> None:
    """Say what each trial of the run date changes."""
    warehouse, conf, report = run.warehouse, run.conf, run.report
    stored = read_trials(warehouse)
    report.notes += [line for row in stored for line in format_trial(row)]
    if not stored:
        report.notes.append(f"no trial of {conf.run_date}")


def drop_trial(trial: str) -> Work:
    """Remove the rows of a trial of the run date.

    Raises:
        TrialError: there is no trial of that name.
    """

    def run(run: Run) -> None:
        warehouse, conf, report = run.warehouse, run.conf, run.report
        find_trial(warehouse, check_name(trial))
        where = f"run_date = DATE'{conf.run_date.isoformat()}' AND trial = '{trial}'"
        for table in (WEIGHT_TRIALS, SCORE_TRIALS):
            warehouse.replace(table, table.local_frame(warehouse.spark, []), where)
        report.notes.append(f"trial {trial} of {conf.run_date} is dropped")

    return run


def _weights_of_conf(conf: ResolvedConf) -> WeightsInForce:
    """Return conf's weights, every region listed: an adopted trial holds whatever
    conf says later.
    """
    given = WeightTable.from_conf(conf.tree.value)
    table = WeightTable(given.default, {r: given.get_region(r) for r in conf.tree.regions})
    return WeightsInForce(table, table.version)


def _bind_work(arguments: argparse.Namespace) -> Work:
    if arguments.trial is not None:
        return try_weights(arguments.trial)
    return drop_trial(arguments.drop) if arguments.drop is not None else list_trials


JOB = Job(
    list_trials,
    summary="try other weights on stored probabilities, beside the scores that are served",
    reads=(
        SCORES,
        EXAMPLE_SCORES,
        QUERIES,
        RELEVANCE_LABELS,
        LABELER_DECISIONS,
        VALUE_WEIGHTS,
        WEIGHT_DECISIONS,
    ),
    may_lack=(EXAMPLE_SCORES, LABELER_DECISIONS, VALUE_WEIGHTS, WEIGHT_DECISIONS),
    writes=(SCORE_TRIALS, WEIGHT_TRIALS),
    sections=("value", "evaluation"),
    bind=_bind_work,
)
