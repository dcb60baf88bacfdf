"""Runs trainings in processes of their own: two at once, one torch thread each.

Imported by the workers: nothing here may import Spark.
"""

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, parent_process
from types import TracebackType
from typing import Any

from model.experiments.training import FAILED, Training, run_training, touch_test

_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
_TRIES = 2
"""Runs of a training whose process dies: once may be chance, such as a full memory, twice is
not."""
Done = Callable[[Training, Mapping[str, Any]], None]


class Workers:
    """The processes of an experiment; with none, trainings run in the driver itself."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._pool: ProcessPoolExecutor | None = None

    def run_all(self, trainings: Sequence[Training], done: Done) -> None:
        """Run the trainings that have not finished, each once; `done` hears of each as it ends.

        A training whose process dies (killed for its memory, say) is tried once more, and then
        counts as failed.
        """
        waiting = _select_unfinished(trainings, done)
        if not self.count:
            for training in waiting:
                done(training, run_training(training))
            return
        for _ in range(_TRIES):
            waiting = self._run_once(waiting, done) if waiting else []
        for training in waiting:
            done(training, {"state": FAILED, "reason": "its process died twice", "seconds": 0.0})

    def touch_all(self, trainings: Sequence[Training]) -> None:
        """Predict the test split of finished trainings, where that was not done yet."""
        distinct = list({training.folder: training for training in trainings}.values())
        if self.count and distinct:
            list(self._start_pool().map(touch_test, distinct))
        else:
            for training in distinct:
                touch_test(training)

    def __enter__(self) -> "Workers":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def _run_once(self, waiting: Sequence[Training], done: Done) -> list[Training]:
        """Run the trainings; gives those that neither ended well nor failed: their process, or one
        beside them, died."""
        left: list[Training] = []
        futures: dict[Future[dict[str, Any]], Training] = {}
        for training in waiting:
            try:
                futures[self._start_pool().submit(run_training, training)] = training
            except BrokenProcessPool:
                left.append(training)
        for future in as_completed(futures):
            try:
                done(futures[future], future.result())
            except BrokenProcessPool:
                left.append(futures[future])
        if left:
            self._pool = None
        return left

    def _start_pool(self) -> ProcessPoolExecutor:
        if self._pool is None:
            context = get_context("spawn")
            self._pool = ProcessPoolExecutor(self.count, context, initializer=_start_worker)
        return self._pool


def _select_unfinished(trainings: Sequence[Training], done: Done) -> list[Training]:
    distinct = {training.folder: training for training in trainings}
    waiting = []
    for training in distinct.values():
        if training.finished:
            done(training, training.state)
        else:
            waiting.append(training)
    return waiting


def _start_worker() -> None:
    """Set a worker up: one thread, and an end with the driver's end, however that comes."""
    for name in _THREADS:
        os.environ[name] = "1"
    import torch

    torch.set_num_threads(1)
    driver = parent_process()
    if driver is not None:
        threading.Thread(target=_end_with, args=(driver,), daemon=True).start()


def _end_with(driver: Any) -> None:
    driver.join()
    os._exit(1)
