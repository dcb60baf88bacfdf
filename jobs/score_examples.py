"""Makes example_scores: the model's predictions on examples that it was not trained on.

Grain: one row per validation or test example. Inputs: the run's training_examples, with features
as of the day of each example, and the model in force. Idempotency key: run_date.

    counterpoise score_examples --conf conf/homedepot.yaml --run-date 2026-03-01
"""

from pathlib import Path

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from features.contracts import EXAMPLE_SCORES, MODEL_DECISIONS, TRAINING_EXAMPLES
from jobs.platform.feature_reads import read_examples
from jobs.platform.job import Job
from jobs.platform.run import Run
from jobs.reports.example_scores import predict_examples
from jobs.serving.in_force import find_scoring_model
from udfs.model_files import model_version


def build(examples: DataFrame, model_dir: Path) -> DataFrame:
    """Build the rows of example_scores."""
    held_out = examples.where(F.col("split").isin("validation", "test"))
    return predict_examples(held_out, model_dir)


def run(run: Run) -> None:
    """Predict the validation and test examples of the run."""
    warehouse, report = run.warehouse, run.report
    examples, model_dir = read_examples(warehouse), find_scoring_model(warehouse)
    written = warehouse.replace_run(EXAMPLE_SCORES, build(examples, model_dir))
    report.count_rows(EXAMPLE_SCORES.name, examples.where("split != 'train'").count(), written.rows)
    report.details["model_version"] = model_version(model_dir)


JOB = Job(
    run,
    summary="predictions on the validation and test examples",
    reads=(TRAINING_EXAMPLES, MODEL_DECISIONS),
    may_lack=(MODEL_DECISIONS,),
    writes=(EXAMPLE_SCORES,),
    sections=("features",),
    artifacts_in=("model",),
)
