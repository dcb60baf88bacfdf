"""A short task of training."""

from collections.abc import Callable
from pathlib import Path

import pytest

from conf.sections.model import ModelConf
from conf.sections.training import FeedConf, TrainerConf
from model.feed import Snapshot
from model.standardise import Standardisation
from model.training.task import TrainTask

Make = Callable[..., TrainTask]


@pytest.fixture
def make_task(snapshot: Snapshot, scale: Standardisation, tmp_path: Path) -> Make:
    """`make_task("name", epochs=3, ...)`: a short task whose folder is tmp_path / name."""

    def make(name: str, dropout: float = 0.0, **trainer: object) -> TrainTask:
        settings: dict[str, object] = {
            "epochs": 3,
            "min_steps": 1,
            "learning_rate": 0.01,
            "progress": False,
        }
        return TrainTask(
            snapshot=snapshot.folder,
            folder=tmp_path / name,
            scale=scale,
            model=ModelConf(hidden=(16, 8), tower=(4,), dropout=dropout),
            feed=FeedConf(batch_size=100, engine="pyarrow", shuffle_files=2),
            trainer=TrainerConf.model_validate(settings | trainer),
            seed=11,
        )

    return make
