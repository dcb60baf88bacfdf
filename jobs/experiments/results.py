"""The figures of a data set's arms: rows by seed, and the arms compared with intervals."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from conf.sections.experiment import ExperimentConf
from jobs.command.version import code_version
from jobs.experiments.study import Arm, Study
from model.experiments.figures import ALL, Figure
from model.experiments.intervals import Compared, TwoLevels, compare
from model.experiments.pooling import pool
from model.experiments.predictions import UNIT
from model.experiments.training import Training, training_source
from model.experiments.verdict import verdict
from model.value.tradeoff import CurvePoint

TEST, VALIDATION = "test", "validation"


@dataclass(frozen=True)
class Found:
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
    compared: list[Compared]

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

    def of(self, arm: str, metric: str, region: str = ALL) -> Compared | None:
        """One figure of one arm, or None where there is none."""
        return _of(self.compared, arm, metric, region)


@dataclass(frozen=True)
class Pool:
    """What the trainings on all draws of a data set gave.

    Attributes:
        compared: every arm, metric and region, over the draws.
    """

    name: str
    draws: list[Found]
    compared: list[Compared]

    @property
    def conf(self) -> ExperimentConf:
        """The experiment."""
        return self.draws[0].conf

    @property
    def simulated(self) -> bool:
        """Whether their engagement or grades are."""
        return self.draws[0].simulated

    def of(self, arm: str, metric: str, region: str = ALL) -> Compared | None:
        """One figure of one arm, or None where there is none."""
        return _of(self.compared, arm, metric, region)


def pools(found: Sequence[Found]) -> list[Pool]:
    """The data sets that were drawn more than once, each over its draws."""
    if not found:
        return []
    conf = found[0].conf
    by_name = {one.name: one for one in found}
    made = []
    for name, draws in conf.pooled.items():
        members = [by_name[draw] for draw in draws]
        compared = pool([one.compared for one in members], conf.bootstrap.confidence)
        made.append(Pool(name, members, compared))
    return made


def with_pools(found: Sequence[Found]) -> list[Found | Pool]:
    """The means over draws, then every data set."""
    return [*pools(found), *found]


def find(study: Study, arms: Sequence[Arm]) -> Found:
    """Judge every arm that did not fail on the test split, and compare them."""
    well = [arm for arm in arms if arm.failure is None]
    figures = {
        arm.name: {
            seed: study.figures(arm.name, training, TEST)
            for seed, training in arm.trainings.items()
        }
        for arm in well
    }
    curves = {arm.name: _curves(study, arm) for arm in well if study.ranking(arm.name)}
    return Found(study, list(arms), figures, curves, _compared(study, well, figures))


def result_rows(found: Found) -> Iterator[dict[str, Any]]:
    """Rows of EXPERIMENT_RESULTS: the figures on test, the curves on both splits."""
    for arm in found.arms:
        for seed, figures in found.figures.get(arm.name, {}).items():
            shared = _shared(found.study, arm, seed)
            for f in figures:
                row = {"split": TEST, "metric": f.metric, "region": f.region, "units": f.units}
                yield shared | row | {"value": f.value if np.isfinite(f.value) else None}
            for split, by_seed in found.curves.get(arm.name, {}).items():
                for point in by_seed[seed]:
                    yield from (shared | row for row in _point_rows(split, point))


def comparison_rows(found: Found | Pool) -> Iterator[dict[str, Any]]:
    """Rows of EXPERIMENT_COMPARISONS: of a data set, or of the mean over its draws."""
    conf = found.conf
    for one in found.compared:
        yield {
            "experiment": conf.name,
            "data": found.name,
            "arm": one.arm,
            "metric": one.metric,
            "region": one.region,
            "seeds": one.trainings,
            "units": one.units,
            "reference": conf.references.get(one.arm, one.arm),
            "verdict": verdict(one.metric, one.difference)
            if one.arm in conf.references
            else "reference",
            "simulated": found.simulated,
            "value": _told(one.estimate.value),
            "low": one.estimate.low,
            "high": one.estimate.high,
            "difference": _told(one.difference.value) if one.difference else None,
            "difference_low": one.difference.low if one.difference else None,
            "difference_high": one.difference.high if one.difference else None,
            "smallest_detectable": one.detectable,
        }


def _shared(study: Study, arm: Arm, seed: int) -> dict[str, Any]:
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
        "conf_hash": study.conf(arm.name, arm.chosen, seed).hash,
        "code_version": f"{code_version()} {training_source()}",
    }


def _point_rows(split: str, point: CurvePoint) -> Iterator[dict[str, Any]]:
    for kind, value in (("relevance", point.relevance), ("engagement", point.engagement)):
        metric = f"curve.{kind}_ndcg.w={point.w_relevance:.12g}"
        yield {"split": split, "metric": metric, "region": ALL, "units": 0, "value": value}


def _curves(study: Study, arm: Arm) -> dict[str, dict[int, list[CurvePoint]]]:
    ranking = study.ranking(arm.name)
    assert ranking is not None
    return {
        split: {
            seed: ranking.curve(
                training.predictions(split, study.snapshot), training.calibrators(study.snapshot)
            )
            for seed, training in arm.trainings.items()
        }
        for split in (VALIDATION, TEST)
    }


def _compared(
    study: Study, arms: Sequence[Arm], figures: dict[str, dict[int, list[Figure]]]
) -> list[Compared]:
    if not arms:
        return []
    conf = study.experiment.conf
    test = next(iter(arms[0].trainings.values())).predictions(TEST, study.snapshot)
    b = conf.bootstrap
    units = len(np.unique(test.codes(UNIT)))
    levels = TwoLevels(units, len(study.seeds), b.replicates, b.confidence, b.seed)
    by_key: dict[tuple[str, str], dict[str, list[Figure]]] = {}
    for arm, by_seed in figures.items():
        for seed in study.seeds:
            for f in by_seed[seed]:
                by_key.setdefault((f.metric, f.region), {}).setdefault(arm, []).append(f)
    found: list[Compared] = []
    for by_arm in by_key.values():
        whole = {arm: fs for arm, fs in by_arm.items() if len(fs) == len(study.seeds)}
        found += compare(whole, conf.references, levels)
    return found


def _of(found: Sequence[Compared], arm: str, metric: str, region: str) -> Compared | None:
    for one in found:
        if (one.arm, one.metric, one.region) == (arm, metric, region):
            return one
    return None


def _told(value: float) -> float | None:
    return value if np.isfinite(value) else None
