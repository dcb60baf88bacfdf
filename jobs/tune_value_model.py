"""Makes value_curve and value_weights: the relevance weight that the rule of conf picks.

Grain: value_curve one row per region (and "all") and relevance weight tried; value_weights one row
per region. Inputs: the run's example_scores, validation rows only, and queries. Engagement is
measured in the currency of conf `evaluation.currency`; where the log measures the loss of
engagement less exactly than conf `value.noise` asks, the loss that the ranker itself expects is
taken. Relevance is taken over people's grades where value.min_queries validation queries have some,
else over those of all sources; its lists are examples, each with the features of its own day: the
run's candidates are scored only after this job, and `evaluate` judges those. The engagement weights
stay as conf gives them; a region with too few validation queries takes the pick of all regions.
Idempotency key: run_date.

    counterpoise tune_value_model --conf FILE --set value.rule=max_engagement --set value.tau=0.9
"""

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Any

from pyspark.sql import DataFrame, Row

from conf.load import ResolvedConf
from conf.schema import Conf
from conf.sections.value import Weights
from features.contracts import EXAMPLE_SCORES, QUERIES, VALUE_CURVE, VALUE_WEIGHTS
from features.evaluation.facts import example_facts
from features.evaluation.lists import with_block
from features.evaluation.rankers import sweep_name, sweep_rankers
from jobs.platform.job import Job
from jobs.platform.run import Run
from jobs.reports.examination import find_examination
from jobs.reports.list_sums import sum_blocks
from jobs.reports.value_report import format_curve_notes, write_curve_section
from jobs.reports.yardsticks import Yardsticks
from model.evaluation.block_sums import ALL, BlockSums
from model.evaluation.bootstrap import BlockBootstrap, Estimate
from model.evaluation.currency import Currency
from model.evaluation.list_sums import ListMetric
from model.value.curve import (
    ENGAGEMENT,
    EXPECTED,
    RELEVANCE,
    RegionPickRule,
    SweptPoint,
    compute_curve,
    pick_all,
)
from model.value.weights import ValueWeights, WeightTable


class TestQueriesError(ValueError):
    """Rows of test queries reached the tuning of the weights."""

    __test__ = False


@dataclass(frozen=True)
class TuningInputs:
    """Validation rows of EXAMPLE_SCORES, and QUERIES."""

    examples: DataFrame
    queries: DataFrame


def build(inputs: TuningInputs, conf: ResolvedConf) -> DataFrame:
    """Build the rows of value_curve, swept and picked (regions x weights: few).

    Raises:
        TestQueriesError: a row is marked as test, or its query falls into a test bucket.
    """
    tree = conf.tree
    facts = example_facts(inputs.examples, inputs.queries, tree.split.test).collect()[0]
    if facts["test_rows"]:
        raise TestQueriesError(
            f"{facts['test_rows']} of {facts['rows']} rows belong to test queries; the weights "
            "may only be tuned on validation queries"
        )
    human_only = facts["human_queries"] >= tree.value.min_queries
    rows = inputs.examples.transform(with_block(inputs.queries, tree.seed, tree.evaluation.blocks))
    yard = _build_yardsticks(rows, tree)
    currency = yard.choose_currency(yard.measure_samples(rows))
    curves = _sweep_curves(_sum_blocks(rows, yard, currency, human_only), tree)
    shared = {
        "run_date": conf.run_date,
        "relevance_labels": "human" if human_only else "all",
        "currency": currency,
        "model_version": facts["model_version"] or "none",
        "simulated_engagement": facts["simulated_engagement"],
    }
    swept = [shared | row for row in _make_rows(curves, tree)]
    return VALUE_CURVE.local_frame(inputs.examples.sparkSession, swept)


def run(run: Run) -> None:
    """Sweep, pick, and write the curve and the weights of every region."""
    warehouse, conf, report = run.warehouse, run.conf, run.report
    validation = warehouse.read_run(EXAMPLE_SCORES).where("split = 'validation'")
    curve = build(TuningInputs(validation, warehouse.read(QUERIES)), conf)
    rows = curve.collect()
    weights = picked_weights(rows, conf)
    written = warehouse.replace_run(VALUE_CURVE, curve)
    report.count_rows(VALUE_CURVE.name, len(rows), written.rows)
    written = warehouse.replace_run(
        VALUE_WEIGHTS, VALUE_WEIGHTS.local_frame(warehouse.spark, weights)
    )
    report.count_rows(VALUE_WEIGHTS.name, len(conf.tree.regions), written.rows)
    report.notes += format_curve_notes(rows, conf.tree)
    report.details["weights"] = [w | {"run_date": report.run_date} for w in weights]
    if not conf.dry_run:
        write_curve_section(warehouse.report_dir(), rows, weights, conf.tree)


def picked_weights(curve: Sequence[Row], conf: ResolvedConf) -> list[dict[str, Any]]:
    """Return one row of value_weights per region: tuned where conf asks for it
    and the rule picked.
    """
    tree = conf.tree
    tuned = (
        {r["region"]: r["w_relevance"] for r in curve if r["picked"]} if tree.value.tuned else {}
    )
    by_region = {}
    for region in tree.regions:
        weights = _conf_weights(tree, region)
        if region in tuned:
            weights = weights.model_copy(update={"relevance": tuned[region]})
        by_region[region] = ValueWeights.from_conf(weights)
    version = WeightTable(ValueWeights.from_conf(tree.value.weights), by_region).version
    return [
        _weight_columns(weights.as_tuple())
        | {
            "run_date": conf.run_date,
            "region": region,
            "weights_version": version,
            "origin": "tuned" if region in tuned else "conf",
        }
        for region, weights in by_region.items()
    ]


def _build_yardsticks(rows: DataFrame, tree: Conf) -> Yardsticks:
    value = tree.value
    rankers = sweep_rankers(value.by_region, value.weights, value.sweep)
    curve = find_examination(rows, tree.evaluation)
    return Yardsticks(rankers, value.by_region, value.weights, curve, tree.evaluation)


def _sum_blocks(
    rows: DataFrame, yard: Yardsticks, currency: Currency, human_only: bool
) -> BlockSums:
    relevance = ListMetric(RELEVANCE, "exp" if human_only else "exp_all", "known")
    pages = [yard.make_engagement_metric(currency, ENGAGEMENT), ListMetric(EXPECTED, "expected")]
    every = sum_blocks(
        yard.sum_lists(rows.where("grade IS NOT NULL"), [relevance]), yard.sum_pages(rows, pages)
    )
    return BlockSums(every.toPandas(), yard.conf.blocks)


def _sweep_curves(sums: BlockSums, tree: Conf) -> dict[str, list[SweptPoint]]:
    e = tree.evaluation
    bootstrap = BlockBootstrap(e.blocks, e.bootstrap, e.confidence, tree.seed)
    names = [(w, sweep_name(w)) for w in tree.value.sweep]
    largest = tree.value.largest_error
    return {r: compute_curve(sums, r, names, bootstrap, largest) for r in (ALL, *tree.regions)}


def _make_rows(curves: dict[str, list[SweptPoint]], tree: Conf) -> list[dict[str, Any]]:
    v = tree.value
    rule = RegionPickRule(v.rule, v.tau, v.engagement_loss, v.min_queries, tree.evaluation.k)
    picks = pick_all(curves, rule)
    return [
        _weight_columns(ValueWeights.from_conf(_conf_weights(tree, region)).as_tuple())
        | _estimate_columns("relevance", point.relevance)
        | _estimate_columns("engagement", point.engagement)
        | {
            "region": region,
            "w_relevance": point.w_relevance,
            "relevance_queries": point.relevance_queries,
            "engagement_queries": point.engagement_queries,
            "engagement_kept": point.engagement_share.share if point.engagement_share else None,
            "engagement_kept_by": _judge_of(point),
            "picked": point.w_relevance == picks[region].w_relevance,
            "rule": picks[region].words,
        }
        for region, points in curves.items()
        for point in points
    ]


def _judge_of(point: SweptPoint) -> str | None:
    if point.engagement_share is None:
        return None
    return "log" if point.engagement_share.measured else "ranker"


def _conf_weights(tree: Conf, region: str) -> Weights:
    return tree.value.by_region.get(region, tree.value.weights)


def _weight_columns(weights: tuple[float, float, float, float]) -> dict[str, Any]:
    return dict(zip(("w_click", "w_cart", "w_purchase", "w_relevance"), weights, strict=True))


def _estimate_columns(name: str, estimate: Estimate | None) -> dict[str, Any]:
    names = (f"{name}_ndcg", f"{name}_low", f"{name}_high")
    return dict(zip(names, astuple(estimate) if estimate else (None,) * 3, strict=True))


JOB = Job(
    run,
    summary="sweep the relevance weight on validation queries and pick it",
    reads=(EXAMPLE_SCORES, QUERIES),
    writes=(VALUE_CURVE, VALUE_WEIGHTS),
    sections=("value", "evaluation"),
)
