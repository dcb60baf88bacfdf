"""The arms that are LightGBM models: which model learns from what."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

from conf.sections.baselines import BaselinesConf
from model.baselines.arms import Baselines
from model.baselines.boosting import BoostedTrees, Tuner
from model.baselines.rows import SplitMatrix, read_split
from model.baselines.targets import (
    GRADE_GAINS,
    EngagementLevels,
    Learning,
    append_position,
    build_judged_lists,
    mix_lists,
    select_grade_rows,
    select_task_rows,
)
from model.cores import count_cores
from model.feed import Snapshot

POSITIONED = "lightgbm_position"
_Models = dict[str, "Future[BoostedTrees]"]
Made = Callable[[SplitMatrix], Learning]


def fit_boosted(
    plain: Baselines, snapshot: Snapshot, conf: BaselinesConf, arms: Sequence[str], seed: int
) -> Baselines:
    """Fit the boosted arms and add them to the baselines."""
    binary = [arm for arm in arms if arm.startswith("lightgbm")]
    levels = EngagementLevels.from_spec(snapshot.spec, plain.weights)
    train = read_split(snapshot, "train", conf.max_rows)
    validation = read_split(snapshot, "validation", conf.max_rows)
    with ThreadPoolExecutor(max(1, count_cores() // conf.threads)) as pool:
        fits = _Fits(train, validation, Tuner(snapshot.spec, conf, seed), pool)
        probabilities = fits.fit_probabilities(binary)
        rankings = {arm: fits.fit_ranking(arm, levels) for arm in arms if arm not in binary}
        return replace(
            plain,
            probabilities={arm: _wait_for(models) for arm, models in probabilities.items()},
            rankings=_wait_for(rankings),
            positioned=frozenset({POSITIONED} & set(binary)),
        )


@dataclass(frozen=True)
class _Fits:
    """Both splits in memory, and the fits on them, which run side by side in `pool`.

    Each fit has threads of its own, so no figure depends on how many run.
    """

    train: SplitMatrix
    validation: SplitMatrix
    tuner: Tuner
    pool: Executor

    def fit_probabilities(self, arms: Sequence[str]) -> Mapping[str, _Models]:
        """Fit task and grade models by arm; the arms share the grades' models, which no position
        biases."""
        grades = self._fit_grades() if arms else {}
        return {arm: self._fit_tasks(arm == POSITIONED) | grades for arm in arms}

    def fit_ranking(self, arm: str, levels: EngagementLevels) -> "Future[BoostedTrees]":
        """Fit the model of a LambdaMART arm."""
        if arm == "lambdamart_engagement":
            return self._fit_lists(levels.build_page_lists, levels.gains)
        if arm == "lambdamart_relevance":
            return self._fit_lists(build_judged_lists, GRADE_GAINS)
        page_levels = len(levels.gains)
        return self._fit_lists(
            lambda rows: mix_lists(
                levels.build_page_lists(rows), build_judged_lists(rows), page_levels
            ),
            [*levels.gains, *GRADE_GAINS],
        )

    def _fit_lists(self, made: Made, gains: Sequence[float]) -> "Future[BoostedTrees]":
        return self.pool.submit(
            lambda: self.tuner.fit_ranking(made(self.train), made(self.validation), gains)
        )

    def _fit_tasks(self, positioned: bool) -> _Models:
        train, validation = (
            append_position(rows) if positioned else rows.features
            for rows in (self.train, self.validation)
        )

        def fit(task: str) -> BoostedTrees:  # each fit under way holds a copy of its rows
            return self.tuner.fit_probability(
                select_task_rows(self.train, task, train),
                select_task_rows(self.validation, task, validation),
            )

        return {task: self.pool.submit(fit, task) for task in self.tuner.spec.tasks}

    def _fit_grades(self) -> _Models:
        def fit(grade: str) -> BoostedTrees:
            return self.tuner.fit_probability(
                select_grade_rows(self.train, grade), select_grade_rows(self.validation, grade)
            )

        return {grade: self.pool.submit(fit, grade) for grade in self.tuner.spec.grades}


def _wait_for(models: _Models) -> dict[str, BoostedTrees]:
    return {name: model.result() for name, model in models.items()}
