"""Makes market_checks: predictions and the value curve against a simulated market's planted truth.

Grain: one row per comparison, set of queries (test, all) and region. Inputs: the run's scores and
value_curve, market_truth, market_parameters, queries and relevance_labels. Correlations are taken
on a hash sample of at most about `evaluation.truth_sample` pairs. Without market_truth there is
nothing to check: nothing is written. Idempotency key: run_date.

    counterpoise check_market --conf FILE
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from conf.load import ResolvedConf
from conf.schema import Conf
from features.contracts import (
    MARKET_CHECKS,
    MARKET_PARAMETERS,
    MARKET_TRUTH,
    QUERIES,
    RELEVANCE_LABELS,
    SCORES,
    VALUE_CURVE,
)
from features.contracts.training import TASKS
from features.evaluation.rankers import sweep_name
from features.evaluation.truth import (
    beside_truth,
    grade_confusion,
    pair_sample,
)
from jobs.labels.labelers import read_labels
from jobs.platform.job import Job
from jobs.platform.run import Run
from jobs.platform.warehouse import Warehouse
from jobs.reports.true_curve import measure_true_curve
from jobs.reports.truth_report import Truths, format_truth_notes, write_truth_section
from model.evaluation.block_sums import ALL
from model.evaluation.truth import (
    Deciles,
    TruthCheck,
    check_direction,
    check_grades,
    check_sample,
    compute_deciles,
)

_PAIR_COLUMNS = (
    "query_id",
    "item_id",
    "region",
    *(f"p_{task}" for task in TASKS),
    "p_ge_1",
    "p_ge_2",
    "relevance",
    "value",
)


@dataclass(frozen=True)
class TruthInputs:
    """The run's SCORES and VALUE_CURVE (None where it was not swept), and the rest."""

    scores: DataFrame
    curve: DataFrame | None
    truth: DataFrame
    parameters: DataFrame
    queries: DataFrame
    labels: DataFrame


def build(inputs: TruthInputs, conf: ResolvedConf) -> DataFrame:
    """Build the rows of market_checks (few)."""
    return MARKET_CHECKS.local_frame(
        inputs.scores.sparkSession, compare_with_truth(inputs, conf).rows
    )


def run(run: Run) -> None:
    """Compare with the planted truth where there is one."""
    warehouse, conf, report = run.warehouse, run.conf, run.report
    if not warehouse.exists(MARKET_TRUTH):
        report.notes.append("no planted truth: skipped")
        return
    truths = compare_with_truth(read_inputs(warehouse), conf)
    written = warehouse.replace_run(
        MARKET_CHECKS, MARKET_CHECKS.local_frame(warehouse.spark, truths.rows)
    )
    report.count_rows(MARKET_CHECKS.name, len(truths.rows), written.rows)
    report.notes += format_truth_notes(truths)
    report.details["pairs"] = {"known": truths.known_pairs, "scored": truths.scored_pairs}
    if not conf.dry_run:
        write_truth_section(warehouse.report_dir(), truths)


def read_inputs(warehouse: Warehouse) -> TruthInputs:
    """Read the tables at their pinned versions."""
    swept = warehouse.exists(VALUE_CURVE)
    return TruthInputs(
        scores=warehouse.read_run(SCORES),
        curve=warehouse.read_run(VALUE_CURVE) if swept else None,
        truth=warehouse.read(MARKET_TRUTH),
        parameters=warehouse.read(MARKET_PARAMETERS),
        queries=warehouse.read(QUERIES),
        labels=read_labels(warehouse),
    )


def compare_with_truth(inputs: TruthInputs, conf: ResolvedConf) -> Truths:
    """Make all comparisons. The scored pairs are persisted while they are read three times."""
    tree = conf.tree
    beside = beside_truth(inputs.truth, inputs.queries, tree.split.test)
    pairs = inputs.scores.select(*_PAIR_COLUMNS).transform(beside).persist()
    try:
        pair_count = pairs.count()
        share = min(1.0, tree.evaluation.truth_sample / max(pair_count, 1))
        sample = pairs.transform(pair_sample(tree.seed, share)).toPandas()
        swept = measure_true_curve(pairs, inputs.parameters, tree)
    finally:
        pairs.unpersist()
    confusion = grade_confusion(inputs.labels, inputs.truth).toPandas()
    checks = _pair_checks(sample)
    checks += [("all", ALL, check) for check in check_grades(confusion)]
    checks += [("test", ALL, check) for check in _curve_checks(swept, inputs.curve, tree)]
    return Truths(
        rows=[_make_row(conf, *entry) for entry in checks],
        deciles=_compute_deciles(sample[sample["test"]]),
        swept=swept,
        known_pairs=pair_count,
        scored_pairs=inputs.scores.count(),
        k=tree.evaluation.k,
    )


def _pair_checks(sample: pd.DataFrame) -> list[tuple[str, str, TruthCheck]]:
    checks = []
    for group, part in (("test", sample[sample["test"]]), ("all", sample)):
        regions = [(ALL, part), *((str(r), rows) for r, rows in part.groupby("region"))]
        checks += [(group, r, check) for r, rows in regions for check in check_sample(rows)]
    return checks


def _curve_checks(swept: pd.DataFrame, curve: DataFrame | None, tree: Conf) -> list[TruthCheck]:
    by_ranker = swept.set_index("ranker")
    names = [sweep_name(w) for w in tree.value.sweep]
    if not set(names) <= set(by_ranker.index):
        return []
    true = by_ranker.loc[names]
    measured: Mapping[float, Any] = (
        {r["w_relevance"]: r for r in curve.where(F.col("region") == ALL).collect()}
        if curve is not None
        else {}
    )
    points = [measured.get(w) for w in tree.value.sweep]
    figures = {
        name: np.array([np.nan if p is None or p[name] is None else p[name] for p in points])
        for name in ("relevance_ndcg", "engagement_ndcg")
    }
    return check_direction(
        true["relevance"].to_numpy(np.float64),
        true["combined"].to_numpy(np.float64),
        figures["relevance_ndcg"],
        figures["engagement_ndcg"],
        int(true["queries"].iloc[0]),
    )


def _compute_deciles(sample: pd.DataFrame) -> dict[str, Deciles]:
    return {
        task: compute_deciles(
            sample[f"p_{task}"].to_numpy(np.float64), sample[f"true_p_{task}"].to_numpy(np.float64)
        )
        for task in TASKS
        if len(sample)
    }


def _make_row(conf: ResolvedConf, queries: str, region: str, check: TruthCheck) -> dict[str, Any]:
    return {
        "run_date": conf.run_date,
        "queries": queries,
        "region": region,
        "check": check.name,
        "value": check.value,
        "rows": check.rows,
        "meaning": check.meaning,
        "passed": check.passed,
    }


JOB = Job(
    run,
    summary="predictions against the planted truth of a simulated market",
    reads=(
        SCORES,
        VALUE_CURVE,
        MARKET_TRUTH,
        MARKET_PARAMETERS,
        QUERIES,
        RELEVANCE_LABELS,
    ),
    writes=(MARKET_CHECKS,),
    sections=("value", "evaluation"),
)
