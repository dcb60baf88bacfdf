"""Fits the labeler of a conf on drawn pairs, on the driver."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pyspark.sql import DataFrame

from conf.schema import Conf
from conf.sections.labelers.labeling import Mix
from features.contracts import IMPRESSIONS, ITEMS, QUERIES
from features.labels.pairs import (
    CHOOSE,
    FIT,
    Counts,
    draw_at_most,
    draw_by_grade,
    graded_by_stratum,
    mass_sums,
    population_by_stratum,
    shown_pairs,
    ungraded_texts,
)
from jobs.platform.warehouse import Warehouse
from model.arrays import Floats
from model.labelers.base import GRADE_COUNT, FitReport, Labeler, Pairs, Probabilities, Targets
from model.labelers.build import build_labeler
from model.labelers.deployed import Deployed, Deployment, match_cuts
from model.labelers.fitting import sum_grade_masses
from model.labelers.gate.gold import compute_weights
from model.labelers.metrics import compute_label_metrics
from model.labelers.mix.prior_shift import compute_masses, estimate_mix
from model.labelers.mix.sampling import (
    compute_mix,
    compute_quotas,
    compute_total_variation,
    stratify_mix,
)

_NEGLIGIBLE = 0.005
"""Total variation between two mixes up to which nothing is corrected."""


@dataclass(frozen=True)
class FittedLabeler:
    """A fitted labeler with its deployment.

    Attributes:
        deployed: what labels.
        report: of the fit.
        fit, choose: texts and grades of the pairs that it was fitted on, and that chose.
        assumed: pairs fitted on that nobody graded (count), the last of `fit`.
        metrics: figures on the pairs that chose.
    """

    deployed: Deployed
    report: FitReport
    fit: pd.DataFrame
    choose: pd.DataFrame
    assumed: int
    metrics: dict[str, Any]


def fit_labeler(
    warehouse: Warehouse,
    graded: DataFrame,
    texts: DataFrame,
    assumed: DataFrame,
    counts: dict[str, Counts],
) -> FittedLabeler:
    """Draw pairs by the conf's mix, fit, find production's mix and the cut points.

    Args:
        graded: of `features.labels.pairs.graded_pairs`.
        texts: of `features.labels.pairs.distinct_texts`.
        assumed: of `features.labels.pairs.assumed_texts`; the mixes are those of graded pairs
            alone.
        counts: pairs of grade 0, 1, 2 by role.

    Raises:
        LabelerError: the labeler cannot be fitted; the message says why.
    """
    tree = warehouse.conf.tree
    labeling = tree.labeling
    wanted = compute_quotas(counts[FIT], labeling.mix, labeling.max_pairs)
    fit = draw_by_grade(texts.where(f"role = '{FIT}'"), wanted, tree.seed).toPandas()
    choices = texts.where(f"role = '{CHOOSE}'")
    choose = draw_at_most(choices, labeling.max_judging_pairs, tree.seed).toPandas()
    more = _draw_assumed(assumed, len(fit), tree)
    fitted_mix = compute_mix(sum_grade_masses(targets_of(fit)))
    labeler = build_labeler(tree)
    report = labeler.fit(
        build_text_pairs(fit).followed_by(build_text_pairs(more)),
        targets_of(fit).followed_by(
            _weigh_targets(targets_of(more), tree.training_set.source_weights.assumed)
        ),
        (build_text_pairs(choose), _in_mix(targets_of(choose), fitted_mix)),
    )
    answers = _unseen_answers(labeler, report, choose)
    production = fitted_mix
    if labeling.mix.correct:
        production = _production_mix(warehouse, graded, texts, labeler, fitted_mix)
    if compute_total_variation(production, fitted_mix) < _NEGLIGIBLE:
        production = fitted_mix
    deployment = _with_cuts(Deployment(fitted_mix, production), answers, choose, tree)
    metrics = compute_label_metrics(deployment.apply(answers), grades_of(choose), deployment.cuts)
    seen = pd.concat([fit, more], ignore_index=True)
    return FittedLabeler(Deployed(labeler, deployment), report, seen, choose, len(more), metrics)


def build_text_pairs(rows: pd.DataFrame) -> Pairs:
    """Return the texts of collected rows as pairs."""
    return Pairs(rows["query_text"].tolist(), rows["item_text"].tolist())


def grades_of(rows: pd.DataFrame) -> NDArray[np.int64]:
    """Return the grades [N] of collected rows."""
    return rows["grade"].to_numpy(np.int64)


def targets_of(rows: pd.DataFrame) -> Targets:
    """Return the soft labels of collected rows, each of weight 1."""
    p_ge_1, p_ge_2 = (rows[name].to_numpy(np.float64) for name in ("p_ge_1", "p_ge_2"))
    return Targets(p_ge_1, p_ge_2, np.ones(len(rows)))


def _draw_assumed(texts: DataFrame, graded: int, tree: Conf) -> pd.DataFrame:
    """Draw as many assumed irrelevant pairs as conf `labeling.assumed_share` asks for."""
    return draw_at_most(texts, round(tree.labeling.assumed_share * graded), tree.seed).toPandas()


def _unseen_answers(labeler: Labeler, report: FitReport, choose: pd.DataFrame) -> Probabilities:
    """Return the answers to the pairs that choose, from before the labeler learnt from them."""
    if report.validation is not None:
        return report.validation
    return labeler.predict(build_text_pairs(choose))


def _weigh_targets(targets: Targets, weight: float) -> Targets:
    """Return the targets, each multiplied by that weight."""
    return replace(targets, weight=weight * targets.weight)


def _in_mix(targets: Targets, mix: Mix) -> Targets:
    """Weigh the targets to the mix that is fitted.

    So the loss that chooses is that of the mix, and a fit on both keeps it.
    """
    if compute_total_variation(compute_mix(sum_grade_masses(targets)), mix) < _NEGLIGIBLE:
        return targets
    labels = Probabilities(targets.label_ge_1, targets.label_ge_2)
    return replace(targets, weight=compute_weights(compute_masses(labels), mix))


def _with_cuts(
    deployment: Deployment, answers: Probabilities, choose: pd.DataFrame, tree: Conf
) -> Deployment:
    if tree.labeling.grades == "most_probable":
        return deployment
    weight = production_weights(deployment, choose, tree)
    mix = compute_mix(np.bincount(grades_of(choose), weight, GRADE_COUNT).tolist())
    cuts = match_cuts(deployment.apply(answers).expected, weight, mix)
    return replace(deployment, cuts=cuts)


def production_weights(deployment: Deployment, rows: pd.DataFrame, tree: Conf) -> Floats:
    """Weigh graded pairs [N] by what they stand for in production; 1 where its mix is that of the
    grades.
    """
    if not deployment.corrects or tree.labeling.mix.production == "judged":
        return np.ones(len(rows))
    targets = targets_of(rows)
    labels = Probabilities(targets.label_ge_1, targets.label_ge_2)
    return compute_weights(compute_masses(labels), deployment.production_mix)


def _production_mix(
    warehouse: Warehouse, graded: DataFrame, texts: DataFrame, labeler: Labeler, fitted_mix: Mix
) -> Mix:
    """Find production's mix of grades, as conf `labeling.mix.production` says."""
    tree, run_date = warehouse.conf.tree, warehouse.conf.run_date
    how = tree.labeling.mix.production
    if how == "judged":
        return compute_mix(mass_sums(texts.where(f"role = '{FIT}'")))
    shown = shown_pairs(warehouse.read(IMPRESSIONS), run_date).persist()
    try:
        if how == "stratified":
            fit_pairs = graded.where(f"role = '{FIT}'")
            return stratify_mix(graded_by_stratum(fit_pairs, shown), population_by_stratum(shown))
        unknown = ungraded_texts(shown, graded, warehouse.read(QUERIES), warehouse.read(ITEMS))
        rows = draw_at_most(unknown, tree.labeling.mix.em_pairs, tree.seed).toPandas()
        return estimate_mix(labeler.predict(build_text_pairs(rows)), fitted_mix)
    finally:
        shown.unpersist()
