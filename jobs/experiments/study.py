"""The trainings of one data set of an experiment: which there are, and which trial an arm takes."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from conf.experiment import Experiment
from conf.load import ResolvedConf
from conf.schema import Conf
from conf.sections.experiment import ArmConf, DataConf, Settings
from conf.sections.model import ModelConf
from model.experiments.cost import estimate_training_seconds
from model.experiments.evaluation import Evaluation
from model.experiments.figures import Figure, compute_engagement_changes
from model.experiments.frontier import Frontier
from model.experiments.ranking import EVERY, Order, Ranking
from model.experiments.scorers import Baseline, Oracle, Scorer, select_figures
from model.experiments.search import choose_trial, draw_trials, score_trial
from model.experiments.training import Training, compute_training_id
from model.feed import Snapshot
from model.sizing import count_parameters, size_conf
from model.standardise import Standardisation, measure_inputs
from model.training.task import TrainTask


@dataclass
class Arm:
    """How one arm fared.

    Attributes:
        trial: index of the chosen trial.
        chosen: its settings.
        scores: by trial, nan where it failed.
        trainings: by seed, of the chosen trial.
        failure: why the arm is out; None while it is not.
    """

    name: str
    trial: int = 0
    chosen: Settings = field(default_factory=dict)
    scores: dict[int, float] = field(default_factory=dict)
    trainings: dict[int, Training] = field(default_factory=dict)
    failure: str | None = None


@dataclass(frozen=True)
class Study:
    """One data set of an experiment.

    Attributes:
        runs: folder of all trainings.
    """

    experiment: Experiment
    name: str
    snapshot: Snapshot
    runs: Path
    _widths: dict[ModelConf, ModelConf] = field(default_factory=dict)
    _judged: dict[tuple[Path, str, int], list[Figure]] = field(default_factory=dict)

    @property
    def data(self) -> DataConf:
        """Conf of the data set."""
        return self.experiment.conf.used[self.name]

    @property
    def seeds(self) -> tuple[int, ...]:
        """Seeds of the trainings on it."""
        return self.data.seeds or self.experiment.conf.seeds

    @cached_property
    def scale(self) -> Standardisation:
        """Statistics of the train split."""
        return measure_inputs(self.snapshot)

    @cached_property
    def trials(self) -> list[Settings]:
        """Settings of the trials, the same for every arm."""
        return draw_trials(self.experiment.conf.search)

    @cached_property
    def target(self) -> int:
        """Trained parameters of a sized arm: conf's, else those of the reference as it stands."""
        given = self.experiment.conf.parameters
        if given is not None:
            return given
        conf = self.resolve_conf(self.experiment.conf.reference, {}, 1)
        return count_parameters(self.snapshot.spec, conf.tree.model, self.scale)

    @property
    def planned(self) -> int:
        """Trainings of all arms: trials, where there is a search, and seeds (count)."""
        searched = len(self.trials) if len(self.trials) > 1 else 0
        arms = self.experiment.conf.arms.values()
        return sum(len(self.seeds) + (searched if arm.network else 0) for arm in arms)

    def check_confs(self) -> str:
        """Resolve the conf of every arm and trial before any of them trains; the plan in words.

        Raises:
            UserError: a conf cannot be used.
        """
        for arm in self.experiment.conf.arms:
            for trial in self.trials:
                self.resolve_conf(arm, trial, 1)
        task = self.build_training(self.experiment.conf.reference, 0, 1).task
        minutes = (
            estimate_training_seconds(task)
            * self.planned
            / max(self.experiment.conf.workers, 1)
            / 60
        )
        return (
            f"{self.planned} trainings of {self.snapshot.count_rows('train'):,} rows; at the "
            f"reference's speed and with every epoch at most {minutes:.1f} minutes"
        )

    def resolve_conf(self, arm: str, more: Settings, seed: int) -> ResolvedConf:
        """Resolve the conf of a training, before its widths are solved for."""
        settings = {**more, "seed": seed, "trainer.progress": False, "trainer.threads": 1}
        return self.experiment.arm_conf(self.data, self.experiment.conf.arms[arm], settings)

    def build_training(self, arm: str, trial: int, seed: int) -> Training:
        """Build one training of an arm.

        Raises:
            UserError: the conf cannot be used.
        """
        conf = self.resolve_conf(arm, self.trials[trial], seed)
        tree = conf.tree
        task = TrainTask(
            snapshot=self.snapshot.folder,
            folder=self.runs,
            scale=self.scale,
            model=self.size_model(arm, tree.model),
            feed=tree.feed,
            trainer=tree.trainer,
            seed=seed,
        )
        scorer = self._build_scorer(arm, tree)
        key = (
            compute_training_id(task, tree.calibration, self.snapshot)
            if scorer is None
            else scorer.compute_fingerprint(self.snapshot)
        )
        label = f"{self.name}/{arm}/trial {trial}/seed {seed}"
        return Training(label, replace(task, folder=self.runs / key), tree.calibration, scorer)

    def _build_scorer(self, arm: str, tree: Conf) -> Scorer | None:
        """Build what scores in place of a network; None where a network is trained."""
        conf = self.experiment.conf.arms[arm]
        if conf.baseline:
            weights = (conf.ranking and conf.ranking.weights) or tree.value.weights
            return Baseline(conf.baseline, tree.baselines, weights, tree.seed)
        return Oracle(conf.oracle) if conf.oracle else None

    def size_model(self, arm: str, model: ModelConf) -> ModelConf:
        """Size the architecture of an arm: its widths are solved for `target` where the arm is
        sized.

        Raises:
            SizingError: no widths have that many parameters.
        """
        conf = self.experiment.conf
        one = conf.arms[arm]
        if not (one.sized and one.network) or (arm == conf.reference and conf.parameters is None):
            return model
        if model not in self._widths:
            self._widths[model] = size_conf(self.snapshot.spec, model, self.target, self.scale)
        return self._widths[model]

    def build_ranking(self, arm: str) -> Ranking | None:
        """Build what ranks for the arm; None where its tasks are judged alone."""
        conf = self.experiment.conf.arms[arm].ranking
        if conf is None:
            return None
        tree = self.resolve_conf(arm, {}, 1).tree
        return Ranking(conf, tree.value, tree.evaluation)

    def compute_figures(self, arm: str, training: Training, split: str) -> list[Figure]:
        """Compute the figures of a finished training on validation or test.

        An arm whose relevance weight is picked has, besides, `change.*`: its engagement less that
        of the same model's order without relevance, over the same lists.
        """
        conf = self.resolve_conf(arm, {}, 1).tree.evaluation
        calibrators = training.read_calibrators(self.snapshot)
        evaluation = Evaluation(training.read_predictions(split, self.snapshot), calibrators, conf)
        judged = (training.folder, split, conf.k)  # arms that only rank otherwise share trainings
        if judged not in self._judged:
            self._judged[judged] = evaluation.build_task_figures()
        figures = list(self._judged[judged])
        ranking = self.build_ranking(arm)
        if ranking is not None:
            order = ranking.choose_order(
                training.read_predictions("validation", self.snapshot), calibrators
            )
            ordered = evaluation.build_order_figures(order)
            if ranking.picks:
                without = evaluation.build_order_figures(replace(order, w_relevance={EVERY: 0.0}))
                ordered += compute_engagement_changes(ordered, without)
            figures += ordered
        return select_figures(figures, training.state["scores"]) if training.scorer else figures

    def build_frontier(self, ranking: Ranking, training: Training, split: str) -> Frontier:
        """Build the orders of a finished training under every relevance weight."""
        predictions = training.read_predictions(split, self.snapshot)
        calibrators = training.read_calibrators(self.snapshot)
        evaluation = Evaluation(predictions, calibrators, ranking.evaluation)
        order = Order(ranking.conf, ranking.weights, {EVERY: 0.0})
        return Frontier(evaluation, order, ranking.tree.sweep)

    def choose_trial(self, arm: Arm, searched: Sequence[Training]) -> None:
        """Take the best trial of an arm by its validation figures."""
        conf: ArmConf = self.experiment.conf.arms[arm.name]
        choose = conf.choose or self.experiment.conf.search.choose
        reasons: list[Any] = []
        for trial, training in enumerate(searched):
            if training.finished:
                arm.scores[trial] = score_trial(
                    self.compute_figures(arm.name, training, "validation"), choose
                )
            else:
                arm.scores[trial] = float("nan")
                reasons.append(training.state.get("reason", "it did not end"))
        try:
            arm.trial = choose_trial(arm.scores)
        except ValueError:
            arm.failure = f"no trial ended with a score: {reasons or 'figures are not numbers'}"
            return
        arm.chosen = self.trials[arm.trial]
