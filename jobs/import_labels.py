"""Makes relevance_labels from the judgments of people (and from assumed grades).

Grain: one row per query, item, source and labeler version; here the version is the data set.
Inputs: judgments. Idempotency: merged on the key; a second run leaves the same rows.
Run: counterpoise import_labels --conf FILE [--run-date DATE]

A label follows its judgment: a corrected grade is updated, and the label of a judgment that is gone
is deleted. Labels of other sources (language models), and those of raters that `import_judgments`
made, are left alone.
"""

from pyspark.sql import DataFrame

from conf.load import ResolvedConf
from features.contracts import JUDGMENTS, RELEVANCE_LABELS
from features.judging.answers import VERSION_PREFIX
from features.labels.judged import JUDGED_SOURCES, labels_from_judgments
from jobs.platform.job import Job
from jobs.platform.run import Run


def build(judgments: DataFrame, conf: ResolvedConf) -> DataFrame:
    """Build the labels of the judgments, one each."""
    return judgments.transform(labels_from_judgments, conf.tree.labels)


def run(run: Run) -> None:
    """Read the judgments, merge their labels."""
    warehouse, conf, report = run.warehouse, run.conf, run.report
    judgments = warehouse.read(JUDGMENTS)
    ours = ", ".join(f"'{source}'" for source in JUDGED_SOURCES)
    gone = f"source IN ({ours}) AND NOT startswith(labeler_version, '{VERSION_PREFIX}')"
    written = warehouse.merge(RELEVANCE_LABELS, build(judgments, conf), prune=gone)
    report.count_rows(RELEVANCE_LABELS.name, judgments.count(), written.rows)


JOB = Job(
    run,
    summary="Turn judgments into relevance labels.",
    reads=(JUDGMENTS,),
    writes=(RELEVANCE_LABELS,),
    sections=("labels",),
)
