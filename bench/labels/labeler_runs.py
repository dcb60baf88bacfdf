"""One labeler of the side-by-side bench: fitted, and asked for the grades of the test pairs."""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from bench.labels.endpoint_server import SLOTS, find_lacking, serve_model
from bench.labels.homedepot_pairs import GradedPairs
from conf.load import SIMULATED, load_conf
from model.arrays import Floats
from model.labelers.base import FitReport, Pairs, Probabilities
from model.labelers.build import build_labeler
from model.labelers.kinds import ENDPOINT
from model.labelers.partial import Answers, predict_some

CALIBRATION = "platt"
_SETTINGS = ("labeler.cross_encoder.min_steps=300",)
"""The default of a labeler, which the simulated market lowers."""


@dataclass(frozen=True)
class Run:
    """What a labeler learnt and said.

    Attributes:
        learnt: on how many pairs it was fitted, in words.
        minutes: of the fit.
        p: of the N test pairs; where there was no answer, the mean of those that there were.
        unanswered: of the N (count).
        rate: test pairs per second.
    """

    learnt: str
    minutes: float
    p: Probabilities
    unanswered: int
    rate: float


def run_labeler(kind: str, graded: GradedPairs, held: NDArray[np.bool_], test: Pairs) -> Run | None:
    """Fit a labeler on the pairs not held out, choose on the others, and ask for the test pairs.

    None where the kind cannot run here; the reason is printed. The endpoint is a server of the
    small model that is started here, unless COUNTERPOISE_LABELER_SET names the `url` of another.
    """
    settings = os.environ.get("COUNTERPOISE_LABELER_SET", "").split()
    starts = kind == ENDPOINT and not any(s.startswith(f"labeler.{kind}.url=") for s in settings)
    reason = find_lacking() if starts else None
    if reason is not None:
        Console().print(f"{kind}: skipped, {reason}")
        return None
    with _start_endpoint(starts) as endpoint:
        conf = load_conf(
            [SIMULATED], settings=[f"labeler.kind={kind}", *_SETTINGS, *endpoint, *settings]
        )
        labeler = build_labeler(conf.tree)
        report = labeler.fit(
            graded.pairs.select_rows(~held),
            graded.targets.select_rows(~held),
            (graded.pairs.select_rows(held), graded.targets.select_rows(held)),
        )
        Console().print(f"{kind}: {report.pairs} pairs, {report.details}")
        started = time.monotonic()
        answers = predict_some(labeler, test)
        rate = len(test) / (time.monotonic() - started)
    words = describe_learning(report, int(held.sum()))
    return Run(
        words, report.seconds / 60, fill_missing(answers), int((~answers.answered).sum()), rate
    )


def describe_learning(report: FitReport, held: int) -> str:
    """Describe on how many pairs a labeler was fitted or, where it only asked, calibrated."""
    graded = report.details.get("graded")
    if graded is not None:
        return f"calibrated on {graded:,} pairs"
    before_last = "" if report.validation is None else " before the last fit"
    return f"fit on {report.pairs:,} pairs, {held:,} to choose{before_last}"


def fill_missing(answers: Answers) -> Probabilities:
    """Put the mean of the other answers in the place of a missing one, [N].

    Raises:
        LabelerError: there is no answer at all; the reasons are counted.
    """
    answered = answers.answered
    if not answered.any():
        return answers.require_complete()

    def fill_column(p: Floats) -> Floats:
        return np.where(answered, p, p[answered].mean())

    return Probabilities(fill_column(answers.p_ge_1), fill_column(answers.p_ge_2))


@contextmanager
def _start_endpoint(starts: bool) -> Iterator[Sequence[str]]:
    """Start a server that runs as long as the context and give its settings; none where it is not
    to start."""
    if not starts:
        yield ()
        return
    with serve_model() as url:
        settings = {"url": url, "concurrency": SLOTS, "calibration": CALIBRATION}
        yield [f"labeler.{ENDPOINT}.{name}={value}" for name, value in settings.items()]
