"""The figures of a data set's arms: rows by seed, and the arms compared with intervals."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from conf.sections.experiment import ExperimentConf
from jobs.command.version import code_version
from jobs.experiments.equal_engagement import add_equal_engagement
from jobs.experiments.study import Arm, Study
from model.evaluation.block_sums import ALL
from model.evaluation.bootstrap import BlockBootstrap
from model.experiments.figures import Figure
from model.experiments.intervals import ComparedFigure, compare_arms
from model.experiments.pooling import pool_draws
from model.experiments.predictions import UNIT
from model.experiments.training import Training, hash_training_source
from model.experiments.verdict import decide_verdict
from model.value.tradeoff import CurvePoint

TEST, VALIDATION = "test", "validation"


@dataclass(frozen=True)
class StudyResults:
    """What a data set's trainings gave.

    Attributes:
        figures: by arm and seed, on test units.
        curves: by arm, split and seed: both NDCGs over the relevance weight.
        compared: every arm, metric and region.
    """

    study: Study
    arms: list[Arm]
    figures: dict[str, dict[int, list[Figure]]]
    curves: dict[str, dict[str, dict[int, list[CurvePoint]]]]
    compared: list[ComparedFigure]

    @property
    def conf(self) -> ExperimentConf:
        """The experiment."""
        return self.study.experiment.conf

    @property
    def name(self) -> str:
        """Name of the data set."""
        return self.study.name

    @property
    def simulated(self) -> bool:
        """Whether its engagement or grades are."""
        return self.study.data.simulated


@dataclass(frozen=True)
class PooledResults:
    """What the trainings on all draws of a data set gave.

    Attributes:
        compared: every arm, metric and region, over the draws.
    """

    name: str
    draws: list[StudyResults]
    compared: list[ComparedFigure]

    @property
    def conf(self) -> ExperimentConf:
        """The experiment."""
        return self.draws[0].conf

    @property
    def simulated(self) -> bool:
        """Whether their engagement or grades are."""
        return self.draws[0].simulated


def pool_results(results: Sequence[StudyResults]) -> list[PooledResults]:
    """Pool each data set that was drawn more than once over its draws."""
    if not results:
        return []
    conf = results[0].conf
    by_name = {one.name: one for one in results}
    made = []
    for name, draws in conf.pooled.items():
        members = [by_name[draw] for draw in draws]
        compared = pool_draws([one.compared for one in members], conf.bootstrap.confidence)
        made.append(PooledResults(name, members, compared))
    return made


def add_pools(results: Sequence[StudyResults]) -> list[StudyResults | PooledResults]:
    """Put the means over draws before the data sets."""
    return [*pool_results(results), *results]


def format_title(results: StudyResults | PooledResults) -> str:
    """Format the name of the data set, and say so where it is simulated."""
    return f"{results.name}{' (simulated)' if results.simulated else ''}"


def find_figure(
    results: StudyResults | PooledResults, arm: str, metric: str
) -> ComparedFigure | None:
    """Find one figure of one arm over all regions; None where there is none."""
    for one in results.compared:
        if (one.arm, one.metric, one.region) == (arm, metric, ALL):
            return one
    return None


def judge_study(study: Study, arms: Sequence[Arm]) -> StudyResults:
    """Judge every arm that did not fail on the test split, and compare them."""
    finished = [arm for arm in arms if arm.failure is None]
    figures = {
        arm.name: {
            seed: study.compute_figures(arm.name, training, TEST)
            for seed, training in arm.trainings.items()
        }
        for arm in finished
    }
    add_equal_engagement(study, finished, figures, TEST)
    curves = {
        arm.name: _compute_curves(study, arm) for arm in finished if study.build_ranking(arm.name)
    }
    return StudyResults(
        study, list(arms), figures, curves, _compare_figures(study, finished, figures)
    )


def build_result_rows(results: StudyResults) -> Iterator[dict[str, Any]]:
    """Build the rows of EXPERIMENT_RESULTS: the figures on test, the curves on both splits."""
    for arm in results.arms:
        for seed, figures in results.figures.get(arm.name, {}).items():
            shared = _build_shared(results.study, arm, seed)
            for f in figures:
                row = {"split": TEST, "metric": f.metric, "region": f.region, "units": f.units}
                yield shared | row | {"value": f.value if np.isfinite(f.value) else None}
            for split, by_seed in results.curves.get(arm.name, {}).items():
                for point in by_seed[seed]:
                    yield from (shared | row for row in _build_point_rows(split, point))


def build_comparison_rows(results: StudyResults | PooledResults) -> Iterator[dict[str, Any]]:
    """Build the rows of EXPERIMENT_COMPARISONS: of a data set, or of the mean over its draws."""
    conf = results.conf
    for one in results.compared:
        yield {
            "experiment": conf.name,
            "data": results.name,
            "arm": one.arm,
            "metric": one.metric,
            "region": one.region,
            "seeds": one.trainings,
            "units": one.units,
            "reference": conf.references.get(one.arm, one.arm),
            "verdict": decide_verdict(one.metric, one.difference)
            if one.arm in conf.references
            else "reference",
            "simulated": results.simulated,
            "value": _replace_nan(one.estimate.value),
            "low": one.estimate.low,
            "high": one.estimate.high,
            "difference": _replace_nan(one.difference.value) if one.difference else None,
            "difference_low": one.difference.low if one.difference else None,
            "difference_high": one.difference.high if one.difference else None,
            "smallest_detectable": one.detectable,
        }


def _build_shared(study: Study, arm: Arm, seed: int) -> dict[str, Any]:
    training: Training = arm.trainings[seed]
    return {
        "experiment": study.experiment.conf.name,
        "data": study.name,
        "arm": arm.name,
        "seed": seed,
        "simulated": study.data.simulated,
        "training": training.folder.name,
        "parameters": training.state["parameters"],
        "snapshot_version": study.snapshot.version,
        "conf_hash": study.resolve_conf(arm.name, arm.chosen, seed).hash,
        "code_version": f"{code_version()} {hash_training_source()}",
    }


def _build_point_rows(split: str, point: CurvePoint) -> Iterator[dict[str, Any]]:
    for kind, value in (("relevance", point.relevance), ("engagement", point.engagement)):
        metric = f"curve.{kind}_ndcg.w={point.w_relevance:.12g}"
        yield {"split": split, "metric": metric, "region": ALL, "units": 0, "value": value}


def _compute_curves(study: Study, arm: Arm) -> dict[str, dict[int, list[CurvePoint]]]:
    ranking = study.build_ranking(arm.name)
    assert ranking is not None
    return {
        split: {
            seed: ranking.compute_curve(
                training.read_predictions(split, study.snapshot),
                training.read_calibrators(study.snapshot),
            )
            for seed, training in arm.trainings.items()
        }
        for split in (VALIDATION, TEST)
    }


def _compare_figures(
    study: Study, arms: Sequence[Arm], figures: dict[str, dict[int, list[Figure]]]
) -> list[ComparedFigure]:
    if not arms:
        return []
    conf = study.experiment.conf
    test = next(iter(arms[0].trainings.values())).read_predictions(TEST, study.snapshot)
    b = conf.bootstrap
    units = len(np.unique(test.get_codes(UNIT)))
    bootstrap = BlockBootstrap(units, b.replicates, b.confidence, b.seed, len(study.seeds))
    by_key: dict[tuple[str, str], dict[str, list[Figure]]] = {}
    for arm, by_seed in figures.items():
        for seed in study.seeds:
            for f in by_seed[seed]:
                by_key.setdefault((f.metric, f.region), {}).setdefault(arm, []).append(f)
    compared: list[ComparedFigure] = []
    for by_arm in by_key.values():
        complete = {arm: fs for arm, fs in by_arm.items() if len(fs) == len(study.seeds)}
        compared += compare_arms(complete, conf.references, bootstrap)
    return compared


def _replace_nan(value: float) -> float | None:
    return value if np.isfinite(value) else None
