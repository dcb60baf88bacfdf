"""All jobs, in the order of the nightly chain."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the names alone are read without Spark
    from jobs.platform.job import Job

CHAIN: tuple[str, ...] = (
    "ingest",
    "import_features",
    "import_labels",
    "embed_texts",
    "read_texts",
    "finetune_labeler",
    "admit_labeler",
    "build_candidates",
    "compare_pairs",
    "label_pairs",
    "build_features",
    "build_scoring_rows",
    "build_training_set",
    "train",
    "admit_model",
    "score_examples",
    "tune_value_model",
    "score_catalog",
    "evaluate",
    "check_market",
)
EXTRA: tuple[str, ...] = (
    "reweight",
    "adopt_weights",
    "revoke_labeler",
    "audit_labels",
    "sample_for_judgment",
    "import_judgments",
)


def load_job(name: str) -> "Job":
    """Load the `JOB` of module jobs.<name>."""
    from jobs.platform.job import Job

    job = import_module(f"jobs.{name}").JOB
    if not isinstance(job, Job):
        raise TypeError(f"jobs.{name}.JOB is a {type(job).__name__}, not a Job")
    return job
