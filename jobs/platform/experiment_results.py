"""The figures of a data set's arms: rows by seed, and the arms compared with intervals."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from jobs.platform.experiment_study import Arm, Study
from jobs.platform.warehouse import code_version
from model.experiments.figures import Figure
from model.experiments.intervals import Compared, TwoLevels, compare
from model.experiments.predictions import UNIT
from model.experiments.source import source_hash
from model.experiments.training import Training
from model.experiments.verdict import verdict
from model.tradeoff import CurvePoint

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

    def of(self, arm: str, metric: str, region: str = "all") -> Compared | None:
        """One figure of one arm, or None where there is none."""
        for one in self.compared:
            if (one.arm, one.metric, one.region) == (arm, metric, region):
                return one
        return None


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


def comparison_rows(found: Found) -> Iterator[dict[str, Any]]:
    """Rows of EXPERIMENT_COMPARISONS."""
    conf = found.study.experiment.conf
    for one in found.compared:
        yield {
            "experiment": conf.name,
            "data": found.study.name,
            "arm": one.arm,
            "metric": one.metric,
            "region": one.region,
            "seeds": len(conf.seeds),
            "units": one.units,
            "reference": conf.reference,
            "verdict": "reference"
            if one.arm == conf.reference
            else verdict(one.metric, one.difference),
            "simulated": found.study.data.simulated,
            "value": _told(one.estimate.value),
            "low": one.estimate.low,
            "high": one.estimate.high,
            "difference": _told(one.difference.value) if one.difference else None,
            "difference_low": one.difference.low if one.difference else None,
            "difference_high": one.difference.high if one.difference else None,
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
        "code_version": f"{code_version()} {source_hash()}",
    }


def _point_rows(split: str, point: CurvePoint) -> Iterator[dict[str, Any]]:
    for kind, value in (("relevance", point.relevance), ("engagement", point.engagement)):
        metric = f"curve.{kind}_ndcg.w={point.w_relevance:.12g}"
        yield {"split": split, "metric": metric, "region": "all", "units": 0, "value": value}


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
    levels = TwoLevels(units, len(conf.seeds), b.replicates, b.confidence, b.seed)
    by_key: dict[tuple[str, str], dict[str, list[Figure]]] = {}
    for arm, by_seed in figures.items():
        for seed in conf.seeds:
            for f in by_seed[seed]:
                by_key.setdefault((f.metric, f.region), {}).setdefault(arm, []).append(f)
    found: list[Compared] = []
    for by_arm in by_key.values():
        whole = {arm: fs for arm, fs in by_arm.items() if len(fs) == len(conf.seeds)}
        found += compare(whole, conf.reference, levels)
    return found


def _told(value: float) -> float | None:
    return value if np.isfinite(value) else None
