"""How long a training is, and its step size over that time."""

import math
from dataclasses import dataclass

from conf.sections.training import TrainerConf


@dataclass(frozen=True)
class Schedule:
    """Epochs of equal steps, and the shape of the step size.

    Attributes:
        epochs: whole passes over the training rows (count).
        steps: steps of an epoch (count).
        shape: cosine or constant, as conf `trainer.schedule`.
    """

    epochs: int
    steps: int
    shape: str

    @classmethod
    def from_conf(cls, conf: TrainerConf, steps: int) -> "Schedule":
        """Build the schedule for epochs of so many steps.

        conf's epochs, but as many as `min_steps` need and no more than `max_steps` allow: ten
        thousand rows are ten steps of 1,024 and would be read sixteen times only, far too few for
        weights that start from nothing; a hundred million rows say all they can in two epochs.
        """
        wanted = min(max(conf.epochs * steps, conf.min_steps), conf.max_steps)
        return cls(max(1, math.ceil(wanted / max(steps, 1))), max(steps, 1), conf.schedule)

    def compute_factor(self, epoch: int, step: int) -> float:
        """Compute the step size over that at the start, in an epoch (from 1) at a step of it (from
        0).

        cosine: (1 + cos(pi * done)) / 2 (Loshchilov and Hutter, ICLR 2017, eq. 5, one period), so
        that the last steps average out the noise of the batches and no epoch has to be picked.
        """
        if self.shape == "constant":
            return 1.0
        done = ((epoch - 1) * self.steps + step) / (self.epochs * self.steps)
        return 0.5 * (1.0 + math.cos(math.pi * min(done, 1.0)))
