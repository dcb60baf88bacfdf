"""One training of an experiment in a folder of its own: done once, and continued after a kill.

An arm without a network has such a folder, too, with the predictions of its scores.

run.json                        state, parameters, epochs, seconds; written last
predictions-validation.parquet  and, once the test was touched, predictions-test.parquet
calibrators.json                fitted on validation
"""

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conf.load import section_hash
from conf.sections.training import CalibrationConf
from model.experiments.predictions import LOGGED, Predictions, load_predictions, predict
from model.experiments.scorers import Scorer
from model.feed import Snapshot, open_snapshot
from model.files import source_hash, write_json
from model.serving.calibrators import Calibrators, build_identities, fit_calibrators
from model.training.task import TrainTask
from model.training.trainer import load_trained, train

STATE, CALIBRATORS = "run.json", "calibrators.json"
FINISHED, FAILED = "finished", "failed"


@dataclass(frozen=True)
class Training:
    """What is trained; equal trainings (of two arms, of a trial and an arm) share a folder.

    Attributes:
        label: what it is for, in words.
        task: snapshot, conf and seed; its folder is this training's.
        calibration: how its probabilities are calibrated on validation.
        scorer: what scores in place of a network; None: a network is trained.
    """

    label: str
    task: TrainTask
    calibration: CalibrationConf
    scorer: Scorer | None = None

    @property
    def folder(self) -> Path:
        """Where everything of it is kept."""
        return self.task.folder

    @property
    def state(self) -> dict[str, Any]:
        """run.json, empty where it has not ended."""
        path = self.folder / STATE
        return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}

    @property
    def finished(self) -> bool:
        """Whether it ended well: it is never trained again."""
        return self.state.get("state") == FINISHED

    def read_predictions(self, split: str, snapshot: Snapshot) -> Predictions:
        """Read the saved predictions of a finished training; those of test are there after
        `touch_test`."""
        return load_predictions(self._locate_predictions(split), snapshot.spec)

    def read_calibrators(self, snapshot: Snapshot) -> Calibrators:
        """Read the calibrators of a finished training."""
        content = json.loads((self.folder / CALIBRATORS).read_text(encoding="utf-8"))
        return Calibrators.from_json(content, snapshot.spec.regions)

    def _locate_predictions(self, split: str) -> Path:
        return self.folder / f"predictions-{split}.parquet"


def hash_training_source() -> str:
    """Hash the code that trains."""
    return source_hash(("conf", "model"))


def compute_training_id(task: TrainTask, calibration: CalibrationConf, snapshot: Snapshot) -> str:
    """Compute the name of a training's folder: a hash of all that decides its predictions."""
    return section_hash([task.compute_fingerprint(snapshot), calibration.model_dump(mode="json")])


def run_training(training: Training) -> dict[str, Any]:
    """Train, predict validation, calibrate; gives the content of run.json.

    A finished training is left as it is. One that fails (a loss that is not finite, a model that
    cannot be built) is noted with its reason and tried again the next time.
    """
    if training.finished:
        return training.state
    training.folder.mkdir(parents=True, exist_ok=True)
    started, busy = time.monotonic(), time.process_time()
    try:
        made = _train_network(training) if training.scorer is None else _score_arm(training)
        state = made | {"state": FINISHED}
    except Exception as error:  # any failure of an arm is a result: the others go on
        state = {"state": FAILED, "reason": f"{type(error).__name__}: {error}"}
    state |= {
        "label": training.label,
        "seconds": round(time.monotonic() - started, 2),
        "cpu_seconds": round(time.process_time() - busy, 2),
        "source": hash_training_source(),
    }
    write_json(training.folder / STATE, state)
    return state


def touch_test(training: Training) -> None:
    """Predict the test split of a finished training, once."""
    path = training._locate_predictions("test")
    if path.is_file():
        return
    snapshot = open_snapshot(training.task.snapshot)
    ranker, _ = load_trained(training.task)
    predict(ranker, snapshot, "test").save(path)


def _train_network(training: Training) -> dict[str, Any]:
    train(training.task)
    ranker, progress = load_trained(training.task)
    snapshot = open_snapshot(training.task.snapshot)
    predictions = predict(ranker, snapshot, "validation")
    labelled = {name: predictions.get_labelled(name, LOGGED) for name in snapshot.spec.outputs}
    regions = snapshot.spec.regions
    calibrators = fit_calibrators(
        labelled, predictions.get_codes("region"), regions, training.calibration
    )
    write_json(training.folder / CALIBRATORS, calibrators.to_json())
    predictions.save(training._locate_predictions("validation"))
    return {
        "parameters": sum(p.numel() for p in ranker.parameters() if p.requires_grad),
        "epochs": progress.epoch,
        "best_epoch": progress.best_epoch,
        "validation_loss": progress.best_loss,
        "rows": progress.history[-1]["rows"],
        "training_seconds": round(sum(r["seconds"] for r in progress.history), 2),
    }


def _score_arm(training: Training) -> dict[str, Any]:
    """Score both splits at once: no figure of an arm without a network chooses anything."""
    assert training.scorer is not None
    snapshot = open_snapshot(training.task.snapshot)
    scores: list[str] = []
    for split, predictions, had in training.scorer.score(snapshot):
        predictions.save(training._locate_predictions(split))
        scores = had
    spec = snapshot.spec
    write_json(
        training.folder / CALIBRATORS, build_identities(spec.outputs, spec.regions).to_json()
    )
    return {"parameters": 0, "scores": scores}
