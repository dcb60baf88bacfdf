"""One training of an experiment in a folder of its own: trained once, gone on with after a kill.

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
from model.serving.calibrators import Calibrators, fit_all, none_fitted
from model.training.task import TrainTask
from model.training.trainer import train, trained

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

    def predictions(self, split: str, snapshot: Snapshot) -> Predictions:
        """Saved predictions of a finished training; those of test are there after `touch_test`."""
        return load_predictions(self._predictions(split), snapshot.spec)

    def calibrators(self, snapshot: Snapshot) -> Calibrators:
        """Calibrators of a finished training."""
        content = json.loads((self.folder / CALIBRATORS).read_text(encoding="utf-8"))
        return Calibrators.from_json(content, snapshot.spec.regions)

    def _predictions(self, split: str) -> Path:
        return self.folder / f"predictions-{split}.parquet"


def training_source() -> str:
    """Hash of the code that trains."""
    return source_hash(("conf", "model"))


def training_id(task: TrainTask, calibration: CalibrationConf, snapshot: Snapshot) -> str:
    """Name of a training's folder: a hash of all that decides its predictions."""
    return section_hash([task.fingerprint(snapshot), calibration.model_dump(mode="json")])


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
        made = _trained(training) if training.scorer is None else _scored(training)
        found = made | {"state": FINISHED}
    except Exception as error:  # any failure of an arm is a result: the others go on
        found = {"state": FAILED, "reason": f"{type(error).__name__}: {error}"}
    found |= {
        "label": training.label,
        "seconds": round(time.monotonic() - started, 2),
        "cpu_seconds": round(time.process_time() - busy, 2),
        "source": training_source(),
    }
    write_json(training.folder / STATE, found)
    return found


def touch_test(training: Training) -> None:
    """Predict the test split of a finished training, once."""
    path = training._predictions("test")
    if path.is_file():
        return
    snapshot = open_snapshot(training.task.snapshot)
    ranker, _ = trained(training.task)
    predict(ranker, snapshot, "test").save(path)


def _trained(training: Training) -> dict[str, Any]:
    train(training.task)
    ranker, progress = trained(training.task)
    snapshot = open_snapshot(training.task.snapshot)
    predictions = predict(ranker, snapshot, "validation")
    known = {name: predictions.known(name, LOGGED) for name in snapshot.spec.outputs}
    regions = snapshot.spec.regions
    calibrators = fit_all(known, predictions.codes("region"), regions, training.calibration)
    write_json(training.folder / CALIBRATORS, calibrators.to_json())
    predictions.save(training._predictions("validation"))
    return {
        "parameters": sum(p.numel() for p in ranker.parameters() if p.requires_grad),
        "epochs": progress.epoch,
        "best_epoch": progress.best_epoch,
        "validation_loss": progress.best_loss,
        "rows": progress.history[-1]["rows"],
        "training_seconds": round(sum(r["seconds"] for r in progress.history), 2),
    }


def _scored(training: Training) -> dict[str, Any]:
    """Both splits at once: no figure of an arm without a network chooses anything."""
    assert training.scorer is not None
    snapshot = open_snapshot(training.task.snapshot)
    scores: list[str] = []
    for split, predictions, had in training.scorer.score(snapshot):
        predictions.save(training._predictions(split))
        scores = had
    spec = snapshot.spec
    write_json(training.folder / CALIBRATORS, none_fitted(spec.outputs, spec.regions).to_json())
    return {"parameters": 0, "scores": scores}
