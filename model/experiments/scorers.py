"""Arms without a network: planted probabilities of a simulated market, or a baseline, score."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np

from conf.errors import UserError
from conf.load import section_hash
from conf.sections.baselines import Arm, BaselinesConf
from conf.sections.value import Weights
from model.arrays import Floats
from model.baselines import fit_baselines
from model.experiments.figures import Figure
from model.experiments.predictions import BLIND, FIRST, LOGGED, TRUTH, Predictions, read_split_rows
from model.feed import Snapshot
from model.spec import RELEVANCE, THRESHOLDS
from model.value.weights import ValueWeights

ENGAGEMENT = "engagement"
_PLANTED = {"truth": TRUTH, "blind": BLIND}
_PROBABILITIES = (
    "auc.",
    "log_loss.",
    "calibration_error.",
    "violations.",
    "served_violations.",
    "truth.error.",
)
"""Figures of probabilities at the logged position: scores at position 1 do not have them."""


class ScorerError(UserError, ValueError):
    """The rows cannot be scored; the message says what they lack."""


@dataclass(frozen=True)
class Oracle:
    """Scores by planted probabilities at position 1: of the query's region, or blind to it."""

    knows: Literal["truth", "blind"]

    def compute_fingerprint(self, snapshot: Snapshot) -> str:
        """Compute the hash of what decides its scores."""
        return section_hash([asdict(self), snapshot.manifest_sha256])

    def score(self, snapshot: Snapshot) -> Iterator[tuple[str, Predictions, list[str]]]:
        """Split, predictions, and which of ENGAGEMENT and RELEVANCE are among them.

        Raises:
            ScorerError: nothing is planted in the snapshot.
        """
        for split in ("validation", "test"):
            rows = read_split_rows(snapshot, split)
            planted = {
                f"p_{task}": rows.labelled.columns.get(f"{_PLANTED[self.knows]}{task}")
                for task in snapshot.spec.tasks
            }
            available = {name: p for name, p in planted.items() if p is not None}
            if len(available) < len(planted):
                raise ScorerError(
                    f"an oracle needs the planted probabilities, the snapshot {snapshot.folder} "
                    "has none: take a simulated market, or leave the arm out"
                )
            yield (
                split,
                rows.with_columns(build_predicted_columns(available, snapshot)),
                [ENGAGEMENT],
            )


@dataclass(frozen=True)
class Baseline:
    """Scores by an arm of `model.baselines`, fitted on train and tuned on validation.

    Attributes:
        conf: budget of the fit; its own list of arms is not read.
        weights: of the value formula.
        seed: of the fit.
    """

    arm: Arm
    conf: BaselinesConf
    weights: Weights
    seed: int

    def compute_fingerprint(self, snapshot: Snapshot) -> str:
        """Compute the hash of what decides its scores."""
        conf = self.conf.model_dump(mode="json", exclude={"arms"})
        weights = self.weights.model_dump(mode="json")
        return section_hash([self.arm, conf, weights, self.seed, snapshot.manifest_sha256])

    def score(self, snapshot: Snapshot) -> Iterator[tuple[str, Predictions, list[str]]]:
        """Score the splits, as `Oracle.score` does.

        Raises:
            ScorerError: the baseline cannot be fitted here.
        """
        conf = self.conf.model_copy(update={"arms": (self.arm,)})
        fitted = fit_baselines(snapshot, conf, ValueWeights.from_conf(self.weights), self.seed)
        if self.arm not in fitted.arms:
            raise ScorerError("; ".join(fitted.notes))
        for split in ("validation", "test"):
            rows = read_split_rows(snapshot, split)
            scores = fitted.score_candidates(rows.features)[self.arm]
            kinds = [kind for kind in (ENGAGEMENT, RELEVANCE) if kind in scores]
            yield split, rows.with_columns(build_predicted_columns(scores, snapshot)), kinds


Scorer = Oracle | Baseline


def build_predicted_columns(scores: Mapping[str, Floats], snapshot: Snapshot) -> dict[str, Floats]:
    """Build predicted columns from scores [N] by output, `engagement` or `relevance`.

    A task without a probability of its own is ranked by `engagement`, a grade by half of
    `relevance` (expected grade); what neither tells is 0: `select_figures` leaves it out.
    """
    rows = len(next(iter(scores.values())))
    columns: dict[str, Floats] = {}
    for output in snapshot.spec.outputs:
        if output in scores:
            value = scores[output]
        elif output.removeprefix("p_") in THRESHOLDS:
            value = scores.get(RELEVANCE, np.zeros(rows)) / len(THRESHOLDS)
        else:
            value = scores.get(ENGAGEMENT, np.zeros(rows))
        columns |= {f"{position}.{output}": value for position in (FIRST, LOGGED)}
    return columns


def select_figures(figures: Sequence[Figure], scores: Sequence[str]) -> list[Figure]:
    """Select the figures that an arm without a network has: those of its orders at position 1.

    Args:
        scores: which of ENGAGEMENT and RELEVANCE it has.
    """
    return [f for f in figures if _classify_metric(f.metric) in (None, *scores)]


def _classify_metric(metric: str) -> str | None:
    """Tell what a figure judges; None: the arm's own order."""
    if metric.startswith(_PROBABILITIES):
        return "probabilities"
    if metric.startswith(("ndcg", "truth.")):
        return RELEVANCE if metric.endswith(RELEVANCE) else ENGAGEMENT
    return None
