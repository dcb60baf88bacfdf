"""The arms that are LightGBM models: which model learns from what."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from conf.sections.baselines import BaselinesConf
from model.baselines.arms import Baselines
from model.baselines.boosting import Trees, Tuner
from model.baselines.rows import SplitRows, read_rows
from model.baselines.targets import (
    GRADE_GAINS,
    EngagementLevels,
    Learning,
    both,
    grade_rows,
    judged_lists,
    task_rows,
    with_position,
)
from model.feed import Snapshot

POSITIONED = "lightgbm_position"
Made = Callable[[SplitRows], Learning]


def with_boosted(
    plain: Baselines, snapshot: Snapshot, conf: BaselinesConf, arms: Sequence[str], seed: int
) -> Baselines:
    """The baselines with the boosted arms fitted."""
    binary = [arm for arm in arms if arm.startswith("lightgbm")]
    levels = EngagementLevels.of(snapshot.spec, plain.weights)
    fits = _Fits(
        read_rows(snapshot, "train", conf.max_rows),
        read_rows(snapshot, "validation", conf.max_rows),
        Tuner(snapshot.spec, conf, seed),
    )
    return replace(
        plain,
        probabilities=fits.probabilities(binary),
        rankings={arm: fits.ranking(arm, levels) for arm in arms if arm not in binary},
        positioned=frozenset({POSITIONED} & set(binary)),
    )


@dataclass(frozen=True)
class _Fits:
    """Both splits in memory and the fits on them."""

    train: SplitRows
    validation: SplitRows
    tuner: Tuner

    def probabilities(self, arms: Sequence[str]) -> Mapping[str, Mapping[str, Trees]]:
        """Task and grade models by arm; the arms share those of the grades, which no position
        biases."""
        grades = self._grades() if arms else {}
        return {arm: self._tasks(arm == POSITIONED) | grades for arm in arms}

    def ranking(self, arm: str, levels: EngagementLevels) -> Trees:
        """The model of a LambdaMART arm."""
        if arm == "lambdamart_engagement":
            return self._ranking(levels.lists, levels.gains)
        if arm == "lambdamart_relevance":
            return self._ranking(judged_lists, GRADE_GAINS)
        known = len(levels.gains)
        return self._ranking(
            lambda rows: both(levels.lists(rows), judged_lists(rows), known),
            [*levels.gains, *GRADE_GAINS],
        )

    def _ranking(self, made: Made, gains: Sequence[float]) -> Trees:
        return self.tuner.ranking(made(self.train), made(self.validation), gains)

    def _tasks(self, positioned: bool) -> dict[str, Trees]:
        train, validation = (
            with_position(rows) if positioned else rows.features
            for rows in (self.train, self.validation)
        )
        return {
            task: self.tuner.probability(
                task_rows(self.train, task, train), task_rows(self.validation, task, validation)
            )
            for task in self.tuner.spec.tasks
        }

    def _grades(self) -> dict[str, Trees]:
        return {
            grade: self.tuner.probability(
                grade_rows(self.train, grade), grade_rows(self.validation, grade)
            )
            for grade in self.tuner.spec.grades
        }
