"""Makes metrics, and report.md: every ranker on the test queries, side by side.

Grain: one row per ranker, metric and region (and "all"), each with an interval by bootstrap over
query texts and its paired difference from `engagement_only`. Inputs: the run's example_scores
(test rows: the pages; validation rows give the examination curve), the run's scores with its
feature tables (the lists as served, on which relevance is judged; without them the examples'
rows), queries, relevance_labels as given (never audited), labeler_decisions, market_truth where a
market was simulated, and the run's value_weights where there are any. Idempotency key: run_date.

    counterpoise evaluate --conf conf/homedepot.yaml
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F

from conf.load import ResolvedConf
from conf.schema import Conf
from conf.sections.value import Weights
from features.contracts import (
    EXAMPLE_SCORES,
    ITEM_FEATURES,
    LABELER_DECISIONS,
    MARKET_TRUTH,
    METRICS,
    QUERIES,
    QUERY_FEATURES,
    QUERY_ITEM_FEATURES,
    RELEVANCE_LABELS,
    SCORES,
    SCORING_ROWS,
    TRAINING_EXAMPLES,
    VALUE_WEIGHTS,
    WEIGHT_DECISIONS,
)
from features.evaluation.facts import example_facts, simulated_sources
from features.evaluation.lists import examination_at_position, select_pages, with_block
from features.evaluation.names import (
    engagement_metric,
    relevance_metrics,
)
from features.evaluation.rankers import REFERENCE, model_rankers
from features.evaluation.reliability import prediction_histogram, queries_by_task
from features.evaluation.served import served_rows, with_truth
from features.examples.label_choice import labelled_pairs
from jobs.labels.findings import Findings
from jobs.labels.labelers import read_labels, read_optional
from jobs.platform.feature_reads import read_features
from jobs.platform.job import Job
from jobs.platform.plans import keep_frame
from jobs.platform.run import Run
from jobs.platform.warehouse import Warehouse
from jobs.reports.baselines import RunBaselines, name_opponents, prepare_baselines
from jobs.reports.evaluation_report import format_side_by_side, write_evaluation_section
from jobs.reports.examination import find_examination
from jobs.reports.list_sums import sum_blocks
from jobs.reports.simulated import rests_on_simulation
from jobs.reports.yardsticks import Yardsticks, add_distances
from jobs.serving.in_force import find_weights_in_force
from model.baselines.verdict import Comparison, compare_rankers
from model.evaluation.block_sums import BlockSums
from model.evaluation.bootstrap import BlockBootstrap
from model.evaluation.evaluated import build_ranking_rows, build_task_rows, count_left_out


@dataclass(frozen=True)
class EvaluationInputs:
    """Rows of EXAMPLE_SCORES by split, QUERIES, RELEVANCE_LABELS, and the weights in force.

    `served` are the scored candidates of test queries with baselines and grades (None: the test
    rows are used), `truth` is MARKET_TRUTH where the market is simulated. `baselines` are further
    rankers over columns of the test and the served rows.
    """

    test: DataFrame
    validation: DataFrame
    queries: DataFrame
    labels: DataFrame
    weights: Mapping[str, Weights]
    served: DataFrame | None = None
    truth: DataFrame | None = None
    baselines: Mapping[str, Column] = field(default_factory=dict)


def build(inputs: EvaluationInputs, conf: ResolvedConf) -> DataFrame:
    """Build the rows of metrics (rankers x metrics x regions: few)."""
    return METRICS.local_frame(inputs.test.sparkSession, measure_rankers(inputs, conf).rows)


def measure_rankers(inputs: EvaluationInputs, conf: ResolvedConf) -> Findings:
    """Measure all figures, and what a reader must know of them."""
    tree, e = conf.tree, conf.tree.evaluation
    facts = example_facts(inputs.test, inputs.queries, tree.split.test).collect()[0]
    curve = find_examination(inputs.validation, e)
    bootstrap = BlockBootstrap(e.blocks, e.bootstrap, e.confidence, tree.seed)
    blocked = with_block(inputs.queries, tree.seed, e.blocks)
    rows = keep_frame(inputs.test.transform(blocked))
    served = rows if inputs.served is None else inputs.served.transform(blocked)
    rankers = {**model_rankers(inputs.weights, tree.value.weights), **inputs.baselines}
    yard = Yardsticks(rankers, inputs.weights, tree.value.weights, curve, e)
    samples = yard.measure_samples(rows)
    ranked = _sum_rankings(yard, rows, served, inputs.truth, facts, samples)
    sums = BlockSums(ranked.toPandas(), e.blocks)
    add_distances(sums, e.k)
    figures = build_ranking_rows(sums, bootstrap, REFERENCE) + _measure_tasks(
        rows, curve, bootstrap, tree
    )
    grades = {r["source"]: r["simulated"] for r in simulated_sources(inputs.labels).collect()}
    shared = {
        "run_date": conf.run_date,
        "split": "test",
        "seed": tree.seed,
        "model_version": facts["model_version"] or "none",
    }
    simulated = rests_on_simulation(facts["simulated_engagement"], grades)
    return Findings(
        rows=[r | shared | {"simulated": simulated(r["ranker"], r["metric"])} for r in figures],
        facts=facts.asDict(),
        simulated_grades=grades,
        examination=curve,
        left_out=count_left_out(sums),
        k=e.k,
        confidence=e.confidence,
        comparisons=_compare_baselines(
            sums, bootstrap, inputs.baselines, yard.choose_currency(samples), e.k
        ),
        currency=yard.choose_currency(samples),
        samples=samples,
        as_served=inputs.served is not None,
    )


def run(run: Run) -> None:
    """Measure the rankers and write metrics and report."""
    warehouse, conf, report = run.warehouse, run.conf, run.report
    findings = measure_rankers(read_inputs(warehouse), conf)
    written = warehouse.replace_run(METRICS, METRICS.local_frame(warehouse.spark, findings.rows))
    report.count_rows(METRICS.name, len(findings.rows), written.rows)
    report.notes += format_side_by_side(findings)
    report.warnings += findings.list_warnings()
    report.details["baselines"] = [c.to_json() for c in findings.comparisons]
    report.details["left_out"] = findings.left_out
    report.details["examination"] = findings.examination
    report.details["engagement"] = {"currency": findings.currency} | dict(findings.samples)
    if not conf.dry_run:
        path = write_evaluation_section(warehouse.report_dir(), findings)
        report.notes.append(f"report: {path}")


def read_inputs(warehouse: Warehouse) -> EvaluationInputs:
    """Read the tables at their pinned versions."""
    examples = warehouse.read_run(EXAMPLE_SCORES)
    weights, baselines = find_weights_in_force(warehouse), prepare_baselines(warehouse)
    return EvaluationInputs(
        test=baselines.join_examples(examples.where("split = 'test'"), "test"),
        validation=examples.where("split = 'validation'"),
        queries=warehouse.read(QUERIES),
        labels=read_labels(warehouse),
        weights=weights.by_region,
        served=_read_served(warehouse, baselines),
        truth=read_optional(warehouse, MARKET_TRUTH),
        baselines=baselines.build_rankers(weights.by_region, warehouse.conf.tree.value.weights),
    )


def _read_served(warehouse: Warehouse, baselines: RunBaselines) -> DataFrame | None:
    """Read the candidates of test queries as scored for the run date; None where nothing was
    scored.
    """
    if not warehouse.exists(SCORES):
        return None
    tree, scores = warehouse.conf.tree, warehouse.read_run(SCORES)
    if scores.isEmpty():
        return None
    queries = warehouse.read(QUERIES)
    best = labelled_pairs(queries, tree, read_optional(warehouse, LABELER_DECISIONS))
    features = read_features(warehouse).as_of(F.lit(warehouse.conf.run_date))
    labels = read_labels(warehouse).transform(best)
    rows = scores.transform(served_rows(features, labels, queries, tree.split.test))
    return baselines.join_served(rows)


def _sum_rankings(
    yard: Yardsticks,
    rows: DataFrame,
    served: DataFrame,
    truth: DataFrame | None,
    facts: Row,
    samples: Mapping[str, float],
) -> DataFrame:
    all_labels, planted = facts["labelled_rows"] > facts["human_rows"], truth is not None
    robust = yard.sum_robust(rows, samples)
    if truth is not None:
        rows, served = rows.transform(with_truth(truth)), served.transform(with_truth(truth))
    return sum_blocks(
        yard.sum_lists(served, yard.list_served_metrics(all_labels=all_labels, with_truth=planted)),
        yard.sum_pages(rows, yard.list_page_metrics(with_truth=planted), with_logged=True),
        *robust,
    )


def _compare_baselines(
    sums: BlockSums,
    bootstrap: BlockBootstrap,
    baselines: Mapping[str, Column],
    currency: str,
    k: int,
) -> tuple[Comparison, ...]:
    """Compare the ranker with the best baseline, and with its own input."""
    opponents, engagement = name_opponents(baselines), engagement_metric(currency, k)
    relevance = relevance_metrics(k, human_only=True)["exp"]
    return tuple(compare_rankers(sums, bootstrap, opponents, engagement, relevance))


def _measure_tasks(
    rows: DataFrame, curve: list[float], bootstrap: BlockBootstrap, tree: Conf
) -> list[dict[str, Any]]:
    shown, e = select_pages(rows), tree.evaluation
    histogram = shown.transform(prediction_histogram(e.logit_bin, examination_at_position(curve)))
    counts = queries_by_task(shown)
    return build_task_rows(histogram.toPandas(), counts.toPandas(), bootstrap, e.calibration_groups)


JOB = Job(
    run,
    summary="metrics of every ranker on test queries, with intervals, and the report",
    reads=(
        EXAMPLE_SCORES,
        SCORES,
        SCORING_ROWS,
        TRAINING_EXAMPLES,
        QUERY_FEATURES,
        ITEM_FEATURES,
        QUERY_ITEM_FEATURES,
        QUERIES,
        RELEVANCE_LABELS,
        LABELER_DECISIONS,
        MARKET_TRUTH,
        VALUE_WEIGHTS,
        WEIGHT_DECISIONS,
    ),
    may_lack=(LABELER_DECISIONS, MARKET_TRUTH, WEIGHT_DECISIONS),
    artifacts_in=("snapshot",),
    writes=(METRICS,),
    sections=("value", "features", "evaluation", "baselines"),
)
