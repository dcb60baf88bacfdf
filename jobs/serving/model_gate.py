"""What the gate of the ranker looks at: two models on the validation rows of one night."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from conf.schema import Conf
from features.contracts import (
    LABELER_DECISIONS,
    QUERIES,
    SCORING_ROWS,
)
from features.contracts.training import TASKS
from features.evaluation.funnel import measure_disorder
from features.evaluation.lists import examination_at_position, select_pages, with_block
from features.evaluation.rankers import BASELINES, model_rankers
from features.evaluation.reliability import prediction_histogram, queries_by_task
from features.evaluation.served import graded_rows
from features.examples.label_choice import labelled_pairs
from jobs.labels.labelers import read_labels, read_optional
from jobs.platform.feature_reads import read_examples
from jobs.platform.plans import keep_frame
from jobs.platform.warehouse import Warehouse
from jobs.reports.baselines import RunBaselines
from jobs.reports.example_scores import predict_examples
from jobs.serving.gate_orders import (
    CANDIDATE,
    CHANCE,
    PART,
    REFERENCE,
    REFERENCE_PART,
    build_rankings,
    hold_to_baselines,
)
from jobs.serving.in_force import WeightsInForce
from jobs.serving.paired import PairedSums, Ranked, sum_paired
from model.baselines.verdict import INPUT
from model.evaluation.block_sums import ALL
from model.evaluation.bootstrap import BlockBootstrap, Estimate
from model.evaluation.reliability import estimate_calibration_gap, estimate_task_metrics
from model.serving.admission import CalibrationFigure, GateEvidence
from udfs.score_rows import score_rows

_PREDICTED = ("p_click", "p_cart", "p_purchase", "p_ge_1", "p_ge_2", "relevance")


@dataclass(frozen=True)
class ScoredRows:
    """Validation rows scored by the candidate, and in columns `ref_...` by the model in force.

    Attributes:
        lists: candidates of judged validation queries, as served, with grades.
        shown: pages of validation queries, with engagement labels.
        paired: whether there is a model in force to compare with.
    """

    lists: DataFrame
    shown: DataFrame
    paired: bool


def gather_evidence(
    warehouse: Warehouse,
    candidate: Path,
    reference: Path | None,
    weights: WeightsInForce,
    baselines: RunBaselines,
) -> GateEvidence:
    """Score the validation rows with both models and measure them.

    Args:
        candidate, reference: model directories; None: there is no model in force.
        weights: under which both rank.
        baselines: fitted on the run date's snapshot.
    """
    tree, queries = warehouse.conf.tree, warehouse.read(QUERIES)
    beside = baselines.build_rankers(weights.by_region, tree.value.weights)
    with _score_both(warehouse, candidate, reference, weights, baselines) as compared:
        sums = _sum_orders(compared, queries, weights, tree, beside)
        bootstrap = BlockBootstrap(
            tree.evaluation.blocks, tree.evaluation.bootstrap, tree.evaluation.confidence, tree.seed
        )
        order = compared.shown.transform(measure_disorder).collect()[0].asDict()
        rows, shown = int(order.pop("rows")), int(order.pop("queries"))
        return GateEvidence(
            rankings=tuple(build_rankings(sums, bootstrap, tree)),
            calibration=tuple(_build_calibration(compared, queries, sums, bootstrap, tree)),
            disorder={name: float(share or 0.0) for name, share in order.items()},
            rows=rows,
            queries=shown,
            baselines=tuple(hold_to_baselines(sums, bootstrap, beside, tree)),
            given={"currency": sums.currency, "weights_version": weights.version},
        )


@contextmanager
def _score_both(
    warehouse: Warehouse,
    candidate: Path,
    reference: Path | None,
    weights: WeightsInForce,
    baselines: RunBaselines,
) -> Iterator[ScoredRows]:
    """Score the rows once by both models and keep them while they are measured."""
    with ExitStack() as stack:
        lists = keep_frame(_score_lists(warehouse, candidate, reference, weights), stack)
        shown = _score_pages(warehouse, candidate, reference, weights)
        lists = keep_frame(baselines.join_served(lists), stack)
        shown = keep_frame(baselines.join_examples(shown, "validation"), stack)
        yield ScoredRows(lists, shown, reference is not None)


def _score_lists(
    warehouse: Warehouse, candidate: Path, reference: Path | None, weights: WeightsInForce
) -> DataFrame:
    """Score the candidates of the validation queries that people judged; where these are few, of
    all judged ones.

    A labeler may have judged every query: to score them all again would double a night's scoring.
    """
    tree, queries = warehouse.conf.tree, warehouse.read(QUERIES)
    best = labelled_pairs(queries, tree, read_optional(warehouse, LABELER_DECISIONS))
    labels = read_labels(warehouse).transform(best)
    validation = queries.where(F.col("bucket").isin(*tree.split.validation))
    judged = labels.join(validation, on="query_id", how="left_semi")
    chosen = judged.where("label_source = 'human'").select("query_id").distinct()
    if chosen.count() < tree.value.min_queries:
        chosen = judged.select("query_id").distinct()
    packed = warehouse.read_run(SCORING_ROWS).join(chosen, on="query_id", how="left_semi")
    rows = score_rows(packed, candidate, weights.table.to_json())
    if reference is not None:
        theirs = score_rows(packed, reference, weights.table.to_json())
        renamed = (F.col(name).alias(f"ref_{name}") for name in ("value", "relevance"))
        ranked = theirs.select("query_id", "item_id", *renamed)
        rows = rows.join(ranked, on=["query_id", "item_id"], how="inner")
    return rows.transform(graded_rows(labels, queries, tree.split.validation))


def _score_pages(
    warehouse: Warehouse, candidate: Path, reference: Path | None, weights: WeightsInForce
) -> DataFrame:
    """Score the validation examples that a page showed; `ref_joint` is the value of the model in
    force, `ref_engagement_only` its engagement part."""
    examples = read_examples(warehouse).where("split = 'validation'")
    examples = examples.where(F.col("search_id").isNotNull())
    rows = predict_examples(examples, candidate)
    if reference is None:
        return rows
    orders = model_rankers(weights.by_region, warehouse.conf.tree.value.weights)
    ranked = (orders[name].alias(f"ref_{name}") for name in ("joint", "engagement_only"))
    renamed = (F.col(name).alias(f"ref_{name}") for name in _PREDICTED)
    theirs = predict_examples(examples, reference)
    named = theirs.select("example_id", *ranked, *renamed)
    return rows.join(named, on="example_id", how="inner")


def _sum_orders(
    compared: ScoredRows,
    queries: DataFrame,
    weights: WeightsInForce,
    tree: Conf,
    beside: Mapping[str, Column],
) -> PairedSums:
    lists: dict[str, Column] = {
        CANDIDATE: F.col("value"),
        PART: F.col("relevance"),
        CHANCE: F.lit(0.0),
    }
    ours = model_rankers(weights.by_region, tree.value.weights)
    shown = {CANDIDATE: ours["joint"], PART: ours["engagement_only"], CHANCE: ours["random"]}
    if compared.paired:
        lists |= {REFERENCE: F.col("ref_value"), REFERENCE_PART: F.col("ref_relevance")}
        shown |= {REFERENCE: F.col("ref_joint"), REFERENCE_PART: F.col("ref_engagement_only")}
    lists |= {name: score for name, score in beside.items() if name == INPUT}
    shown |= {**{name: ours[name] for name in BASELINES}, **beside}
    return sum_paired(
        Ranked(compared.lists, lists),
        Ranked(compared.shown, shown),
        queries,
        weights.by_region,
        tree,
    )


def _swap_predictions(shown: DataFrame) -> DataFrame:
    """Put the predictions of the model in force in the place of the candidate's."""
    return shown.withColumns({p: F.col(f"ref_{p}") for p in _PREDICTED})


def _build_calibration(
    compared: ScoredRows,
    queries: DataFrame,
    paired: PairedSums,
    bootstrap: BlockBootstrap,
    tree: Conf,
) -> Iterator[CalibrationFigure]:
    e = tree.evaluation
    shown = compared.shown.transform(with_block(queries, tree.seed, e.blocks))
    histogram = prediction_histogram(e.logit_bin, examination_at_position(paired.examination))
    ours = select_pages(shown).transform(histogram).toPandas()
    theirs = None
    if compared.paired:
        theirs = select_pages(_swap_predictions(shown)).transform(histogram).toPandas()
    counts = queries_by_task(select_pages(shown)).toPandas().set_index("region")
    for region in (ALL, *map(str, counts.index)):
        part = _select_region(ours, region)
        other = None if theirs is None else _select_region(theirs, region)
        for task in TASKS:
            error = estimate_task_metrics(part, task, bootstrap, e.calibration_groups).get(
                f"calibration_error_{task}_at_position"
            )
            if error is None:
                continue
            loss: Estimate | None = None
            if other is not None:
                loss = estimate_calibration_gap(part, other, task, bootstrap, e.calibration_groups)
            of_task = counts[task] if region == ALL else counts.loc[[region], task]
            yield CalibrationFigure(task, region, int(of_task.sum()), error, loss)


def _select_region(histogram: pd.DataFrame, region: str) -> pd.DataFrame:
    return histogram if region == ALL else histogram[histogram["region"] == region]
