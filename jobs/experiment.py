"""Runs an experiment: arms x seeds on the same snapshots, and the arms compared.

Outputs: the experiment's rows of experiment_results (one row per data set, arm, seed, split, metric
and region) and experiment_comparisons; `storage.root`/experiments/NAME with manifest, table, plots
and the figures by unit; `storage.root`/experiments/runs with every training and its predictions.
Inputs: the snapshots that its data sets name, made where they are not there.
Idempotency key: experiment name; a training that has finished is never trained again, a killed one
goes on from its last epoch.
Run: `counterpoise experiment conf/experiments/s1.yaml [--quick] [--set a.b=c]`, where
`experiment.a.b=c` changes the experiment and `a.b=c` the conf of every arm.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from pyspark.sql import SparkSession
from rich.console import Console

from conf.experiment import Experiment, load_experiment
from conf.load import ResolvedConf
from features.contracts import EXPERIMENT_COMPARISONS, EXPERIMENT_RESULTS
from jobs.experiments.chain_data import make_chain_snapshot
from jobs.experiments.progress import Clock
from jobs.experiments.results import (
    StudyResults,
    add_pools,
    build_comparison_rows,
    build_result_rows,
    judge_study,
)
from jobs.experiments.runs import run_study
from jobs.experiments.store import REPORT, write_folder
from jobs.experiments.study import Study
from jobs.experiments.thin import thin_snapshot
from jobs.experiments.trivago_data import DATASET as TRIVAGO
from jobs.experiments.trivago_data import make_trivago_snapshot
from jobs.experiments.workers import Workers
from jobs.platform.report import JobReport
from jobs.platform.runner import open_warehouse
from jobs.platform.session import get_session
from jobs.platform.warehouse import Warehouse
from model.evaluation.block_sums import ALL
from model.experiments.training import hash_training_source
from model.feed import open_snapshot
from model.training.tracking import log_to_mlflow

NAME = "experiment"
FAILED = "failed_arms"


def run(spark: SparkSession, experiment: Experiment, console: Console) -> JobReport:
    """Train, judge and compare every arm on every data set.

    Raises:
        UserError: the conf of an arm or a data set cannot be used.
    """
    conf = experiment.conf
    warehouse, report = open_warehouse(spark, experiment.outputs, NAME)
    folder = warehouse.root / "experiments" / conf.name
    print_line(console, f"{conf.name}: {conf.asks}")
    studies = [_open_study(spark, experiment, name, folder.parent / "runs") for name in conf.used]
    for study in studies:
        print_line(console, f"{study.name}: {study.check_confs()}")
    clock = Clock(sum(study.planned for study in studies), conf.workers, console)
    with Workers(conf.workers) as workers:
        outcomes = [judge_study(study, run_study(study, workers, clock)) for study in studies]
    write_folder(folder, outcomes)
    write_tables(warehouse, report, outcomes)
    report.notes += [*_draw_plots(folder / "plots", outcomes), *_other_code(outcomes)]
    report.warnings += track_figures(warehouse, outcomes)
    report.details[FAILED] = _list_failures(outcomes)
    report.outputs[NAME] = str(folder)
    return report


def write_tables(warehouse: Warehouse, report: JobReport, outcomes: Sequence[StudyResults]) -> None:
    """Replace the experiment's rows of both tables."""
    where = f"experiment = '{outcomes[0].study.experiment.conf.name}'"
    results = [row for one in outcomes for row in build_result_rows(one)]
    compared = [row for one in add_pools(outcomes) for row in build_comparison_rows(one)]
    for table, rows in ((EXPERIMENT_RESULTS, results), (EXPERIMENT_COMPARISONS, compared)):
        written = warehouse.replace(table, table.local_frame(warehouse.spark, rows), where)
        report.count_rows(table.name, len(rows), written.rows)


def print_line(console: Console, text: str) -> None:
    """Print a line as it is."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def main(arguments: argparse.Namespace) -> int:
    """Run the experiment's command line; the exit code is 1 where an arm failed, which is named.

    The other arms are trained, judged and written all the same.
    """
    experiment = load_experiment(arguments.file, arguments.quick, arguments.settings)
    console = Console()
    spark = get_session(experiment.outputs.tree)
    report = run(spark, experiment, console)
    folder = Path(str(report.outputs[NAME]))
    print_line(console, (folder / REPORT).read_text(encoding="utf-8"))
    for note in report.notes:
        print_line(console, note)
    print_line(console, f"written: {folder}")
    failed: dict[str, str] = report.details[FAILED]
    for arm, reason in failed.items():
        print(f"counterpoise experiment: arm {arm} failed: {reason}", file=sys.stderr)
    return 1 if failed else 0


def _open_study(spark: SparkSession, experiment: Experiment, name: str, runs: Path) -> Study:
    data = experiment.conf.used[name]
    conf = experiment.data_conf(data)
    folder = experiment.given_snapshot(data) or experiment_snapshot(spark, conf)
    snapshot = open_snapshot(folder)
    snapshot.verify()
    if data.rows is not None:
        snapshot = open_snapshot(thin_snapshot(snapshot, data.rows, runs.parent / "data"))
    return Study(experiment, name, snapshot, runs)


def _list_failures(outcomes: Sequence[StudyResults]) -> dict[str, str]:
    """List why an arm is out, by data set and arm."""
    return {
        f"{one.study.name}/{arm.name}": arm.failure
        for one in outcomes
        for arm in one.arms
        if arm.failure is not None
    }


def _draw_plots(folder: Path, outcomes: Sequence[StudyResults]) -> list[str]:
    """Draw the plots; a note where the extra `experiments` is not installed."""
    try:
        from jobs.experiments.plots import draw_plots
    except ImportError as error:
        return [f"plots: not drawn, {error.name} is not installed"]
    draw_plots(folder, outcomes)
    return []


def _other_code(outcomes: Sequence[StudyResults]) -> list[str]:
    """Note where trainings were made by another state of the code than this one."""
    trainings = [t for one in outcomes for arm in one.arms for t in arm.trainings.values()]
    other = [
        t.folder for t in trainings if t.finished and t.state["source"] != hash_training_source()
    ]
    if not other:
        return []
    return [f"{len(other)} of {len(trainings)} trainings were made by another state of the code"]


def track_figures(warehouse: Warehouse, outcomes: Sequence[StudyResults]) -> list[str]:
    """Log the figures on test of all regions; the reasons where that failed, each once."""
    failures: dict[str, None] = {}
    for one in outcomes:
        for arm in one.arms:
            for seed, figures in one.figures.get(arm.name, {}).items():
                training = arm.trainings[seed]
                name = f"{one.study.experiment.conf.name} {training.label}"
                failure = log_to_mlflow(
                    warehouse.conf.tree.tracking,
                    warehouse.root,
                    name,
                    f"{name} {training.folder.name}",
                    {"arm": arm.name, "data": one.study.name, "seed": seed, **arm.chosen},
                    [],
                    {_escape_metric(f.metric): f.value for f in figures if f.region == ALL},
                )
                if failure:
                    failures[failure] = None
    return list(failures)


def _escape_metric(metric: str) -> str:
    """Turn a metric's name into one that MLflow takes."""
    return metric.replace("@", "_at_").replace("=", "_")


def experiment_snapshot(spark: SparkSession, conf: ResolvedConf) -> Path:
    """Return the folder of the snapshot of the conf's source, made where it does not exist yet.

    It is a snapshot as `build_training_set` writes it (`open_snapshot` reads it), and has besides:
    a split `test`; the columns list_code, page_code, item_code, unit_code, judged and grade (see
    `features.examples.experiment_rows`); on a simulated market p_true_<task> and p_blind_<task>
    of click, cart and purchase. The manifest's `columns` says what each means. All is float32.

    The session logs of kind trivago have the tasks engaged and clickout and no relevance labels;
    every other source goes through the chain up to the training set, without a labeler.
    """
    make = make_trivago_snapshot if conf.source.kind == TRIVAGO else make_chain_snapshot
    return make(spark, conf)
