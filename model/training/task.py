"""What a training is made from."""

from dataclasses import asdict, dataclass
from pathlib import Path

from conf.load import section_hash
from conf.sections.model import ModelConf
from conf.sections.training import FeedConf, TrainerConf
from model.feed import Snapshot
from model.serving.artifact import read_manifest
from model.standardise import Standardisation


@dataclass(frozen=True)
class TrainTask:
    """Everything that a training process needs; sent as it is to the distributor's processes.

    Attributes:
        snapshot: folder of a verified snapshot, readable by every process.
        folder: where the checkpoint and metrics.jsonl are kept, shared by all processes.
        seed: seed of the weights, the order of the rows and dropout.
        start: directory of a saved model whose weights the training begins with, readable by every
            process; None: fresh weights.
    """

    snapshot: Path
    folder: Path
    scale: Standardisation
    model: ModelConf
    feed: FeedConf
    trainer: TrainerConf
    seed: int
    start: Path | None = None

    def compute_fingerprint(self, snapshot: Snapshot) -> str:
        """Compute the hash of what decides the trained weights (but for the rounding of a
        device)."""
        free = {"progress", "local", "device"}
        begun = {"start": read_manifest(self.start)["model_version"]} if self.start else {}
        return section_hash(
            {
                "snapshot": snapshot.version,
                "scale": asdict(self.scale),
                "model": self.model.model_dump(),
                "feed": self.feed.model_dump(),
                "trainer": self.trainer.model_dump(exclude=free),
                "seed": self.seed,
            }
            | begun
        )
