"""Makes metrics, and report.md: every ranker on the test queries, side by side.

Grain: one row per ranker, metric and region (and "all"), each with an interval by bootstrap over
query texts and its paired difference from `engagement_only`. Inputs: the run's example_scores
(test rows; validation rows give the examination curve), queries, relevance_labels, and the
run's value_weights where there are any. Idempotency key: run_date.

    counterpoise evaluate --conf conf/homedepot.yaml
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from pyspark.sql import Column, DataFrame, Row, SparkSession

from conf.load import ResolvedConf
from conf.schema import Conf
from conf.sections.value import Weights
from features.contracts import (
    EXAMPLE_SCORES,
    METRICS,
    QUERIES,
    RELEVANCE_LABELS,
    TRAINING_EXAMPLES,
    VALUE_WEIGHTS,
)
from features.evaluation.facts import example_facts, simulated_sources
from features.evaluation.lists import (
    engagement_gains,
    examination_at_position,
    judged_lists,
    pages,
    relevance_gains,
    with_block,
)
from features.evaluation.names import engagement_metrics, is_relevance, relevance_metrics
from features.evaluation.rankers import LOG_FED, REFERENCE, logged_ranker, model_rankers
from features.evaluation.reliability import (
    position_counts,
    prediction_histogram,
    queries_by_task,
)
from features.evaluation.sums import ranked_sums
from jobs.platform.baselines import FROM_LOG, run_baselines
from jobs.platform.cli import job_main
from jobs.platform.evaluation_report import side_by_side, write_evaluation_section
from jobs.platform.findings import Findings
from jobs.platform.job import Job
from jobs.platform.report import JobReport
from jobs.platform.runner import open_warehouse
from jobs.platform.serving import weights_in_force
from jobs.platform.warehouse import Warehouse
from model.baselines.verdict import Comparison, compare, reasons
from model.block_sums import BlockSums
from model.bootstrap import BlockBootstrap
from model.evaluated import left_out, ranking_rows, task_rows
from model.examination import examination_curve


@dataclass(frozen=True)
class EvaluationInputs:
    """Rows of EXAMPLE_SCORES by split, QUERIES, RELEVANCE_LABELS, and the weights in force.

    `baselines` are further rankers over columns of the test rows.
    """

    test: DataFrame
    validation: DataFrame
    queries: DataFrame
    labels: DataFrame
    weights: Mapping[str, Weights]
    baselines: Mapping[str, Column] = field(default_factory=dict)


def build(inputs: EvaluationInputs, conf: ResolvedConf) -> DataFrame:
    """The rows of metrics (rankers x metrics x regions: few)."""
    return METRICS.local_frame(inputs.test.sparkSession, find(inputs, conf).rows)


def find(inputs: EvaluationInputs, conf: ResolvedConf) -> Findings:
    """All figures, and what a reader must know of them."""
    tree, e = conf.tree, conf.tree.evaluation
    facts = example_facts(inputs.test, inputs.queries, tree.split.test).collect()[0]
    curve = _examination(inputs, tree)
    bootstrap = BlockBootstrap(e.blocks, e.bootstrap, e.confidence, tree.seed)
    rows = inputs.test.transform(with_block(inputs.queries, tree.seed, e.blocks))
    own = model_rankers(inputs.weights, tree.value.weights, tree.seed)
    rankers = {**own, **inputs.baselines}
    sums = BlockSums(
        _ranked(rows, rankers, inputs.weights, curve, facts, tree).toPandas(), e.blocks
    )
    found = ranking_rows(sums, bootstrap, REFERENCE) + _tasks(rows, curve, bootstrap, tree)
    grades = {r["source"]: r["simulated"] for r in simulated_sources(inputs.labels).collect()}
    shared = {
        "run_date": conf.run_date,
        "split": "test",
        "seed": tree.seed,
        "model_version": facts["model_version"] or "none",
    }
    simulated = rests_on_simulation(facts["simulated_engagement"], grades)
    return Findings(
        rows=[r | shared | {"simulated": simulated(r["ranker"], r["metric"])} for r in found],
        facts=facts.asDict(),
        simulated_grades=grades,
        examination=curve,
        left_out=left_out(sums),
        k=e.k,
        confidence=e.confidence,
        comparisons=_compared(sums, bootstrap, inputs.baselines, e.k),
    )


def run(spark: SparkSession, conf: ResolvedConf) -> JobReport:
    """Measure the rankers and write metrics and report."""
    warehouse, report = open_warehouse(spark, conf, "evaluate")
    findings = find(read_inputs(warehouse), conf)
    written = warehouse.replace_run(METRICS, METRICS.local_frame(spark, findings.rows))
    report.count(METRICS.name, len(findings.rows), written.rows)
    report.notes += side_by_side(findings)
    report.warnings += findings.warnings()
    report.details["baselines"] = [c.to_json() for c in findings.comparisons]
    report.details["gate_reasons"] = [c.to_json() for c in reasons(findings.comparisons)]
    report.details["left_out"] = findings.left_out
    report.details["examination"] = findings.examination
    if not conf.dry_run:
        path = write_evaluation_section(warehouse.report_dir(), findings)
        report.notes.append(f"report: {path}")
    return report


def read_inputs(warehouse: Warehouse) -> EvaluationInputs:
    """The tables at their pinned versions."""
    examples = warehouse.read_run(EXAMPLE_SCORES)
    weights, baselines = weights_in_force(warehouse), run_baselines(warehouse)
    by_region = {r: Weights(**asdict(w)) for r, w in weights.table.by_region.items()}
    return EvaluationInputs(
        test=baselines.beside_examples(examples.where("split = 'test'")),
        validation=examples.where("split = 'validation'"),
        queries=warehouse.read(QUERIES),
        labels=warehouse.read(RELEVANCE_LABELS),
        weights=by_region,
        baselines=baselines.rankers(by_region, warehouse.conf.tree.value.weights),
    )


def rests_on_simulation(engagement: bool, grades: Mapping[str, bool]) -> Callable[[str, str], bool]:
    """Whether a ranker's figure rests on simulated data: its labels, or what the ranker learnt.

    Args:
        engagement: the engagement labels are simulated.
        grades: label source -> its grades are simulated or assumed.
    """

    def of(ranker: str, metric: str) -> bool:
        if not is_relevance(metric):
            return engagement
        used = grades if metric.endswith("_all_labels") else {"human"}
        labels = any(grades.get(source, False) for source in used)
        return labels or (engagement and ranker in LOG_FED | FROM_LOG)

    return of


def _examination(inputs: EvaluationInputs, tree: Conf) -> list[float]:
    e = tree.evaluation
    if e.examination is not None:
        return [max(value, e.min_examination) for value in e.examination]
    counts = inputs.validation.transform(position_counts(e.max_position)).collect()
    last = max((row["position"] for row in counts), default=1)
    clicks, expected = np.zeros(last), np.zeros(last)
    for row in counts:
        clicks[row["position"] - 1] = row["clicks"]
        expected[row["position"] - 1] = row["expected"]
    return [float(v) for v in examination_curve(clicks, expected, e.min_examination)]


def _ranked(
    rows: DataFrame,
    rankers: Mapping[str, Column],
    weights: Mapping[str, Weights],
    curve: list[float],
    facts: Row,
    tree: Conf,
) -> DataFrame:
    k, default = tree.evaluation.k, tree.value.weights
    grades = relevance_gains()
    gains = engagement_gains(weights, default, examination_at_position(curve))
    sums = judged_lists(rows, human_only=True).transform(
        ranked_sums(rankers, grades, relevance_metrics(k, human_only=True), k)
    )
    if facts["labelled_rows"] > facts["human_rows"]:
        every = judged_lists(rows, human_only=False).transform(
            ranked_sums(rankers, grades, relevance_metrics(k, human_only=False), k)
        )
        sums = sums.unionByName(every)
    shown = pages(rows).transform(
        ranked_sums({**rankers, **logged_ranker()}, gains, engagement_metrics(k), k)
    )
    return sums.unionByName(shown)


def _compared(
    sums: BlockSums, bootstrap: BlockBootstrap, baselines: Mapping[str, Column], k: int
) -> tuple[Comparison, ...]:
    """The ranker against the best baseline; popularity and BM25 are rankers in any case."""
    named = ["popularity", "bm25", *(name for name in baselines if name != "lightgbm_relevance")]
    engagement = engagement_metrics(k)["combined"]
    relevance = relevance_metrics(k, human_only=True)["exp"]
    return tuple(compare(sums, bootstrap, named, engagement, relevance))


def _tasks(
    rows: DataFrame, curve: list[float], bootstrap: BlockBootstrap, tree: Conf
) -> list[dict[str, Any]]:
    shown, e = pages(rows), tree.evaluation
    histogram = shown.transform(prediction_histogram(e.logit_bin, examination_at_position(curve)))
    counts = queries_by_task(shown)
    return task_rows(histogram.toPandas(), counts.toPandas(), bootstrap, e.calibration_groups)


def main(argv: Sequence[str] | None = None) -> int:
    """Command line of the job."""
    return job_main("evaluate", argv)


JOB = Job(
    name="evaluate",
    summary="metrics of every ranker on test queries, with intervals, and the report",
    run=run,
    reads=(EXAMPLE_SCORES, TRAINING_EXAMPLES, QUERIES, RELEVANCE_LABELS, VALUE_WEIGHTS),
    artifacts_in=("snapshot",),
    writes=(METRICS,),
    sections=("seed", "regions", "split", "value", "evaluation", "baselines"),
)

if __name__ == "__main__":
    sys.exit(main())
