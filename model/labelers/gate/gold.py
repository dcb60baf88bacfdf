"""How a labeler does on graded pairs: over all of them, and in each segment of queries."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.arrays import Floats
from model.evaluation.bootstrap import BlockBootstrap, Estimate
from model.labelers.base import GRADE_COUNT, LabelerError, Pairs, Probabilities
from model.labelers.metrics import (
    compute_agreement,
    compute_calibration_errors,
    compute_kappa,
    count_confusion,
)

LENGTHS = ((1, 2), (3, 4), (5, None))
"""Words of short, medium and long queries, from and to."""


@dataclass(frozen=True)
class Gold:
    """N graded pairs of queries that no labeler was fitted on.

    Attributes:
        pairs: the texts.
        grades: [N] grades of people.
        queries: [N] query text that a pair belongs to; pairs of a query are drawn together.
        regions: [N] region of the query.
        shown: [N] times that the query was shown (impressions).
        weight: [N] what a pair stands for, where the gold pairs are not as production's are.

    Raises:
        LabelerError: the lengths differ, or a grade is not 0, 1 or 2.
    """

    pairs: Pairs
    grades: NDArray[np.int64]
    queries: NDArray[np.str_]
    regions: NDArray[np.str_]
    shown: Floats
    weight: Floats

    def __post_init__(self) -> None:
        parts = (self.pairs, self.grades, self.queries, self.regions, self.shown, self.weight)
        if len({len(part) for part in parts}) != 1:
            raise LabelerError("the columns of the gold set differ in length")
        if not np.isin(self.grades, range(GRADE_COUNT)).all():
            raise LabelerError("a gold grade is not 0, 1 or 2")

    def __len__(self) -> int:
        return len(self.grades)

    def iterate_segments(self, head_share: float) -> Iterator[tuple[str, NDArray[np.bool_]]]:
        """Yield name and mask [N] of each segment: region, head and tail, query length."""
        for region in sorted(set(self.regions.tolist())):
            yield f"region {region}", self.regions == region
        head = self._mark_head(head_share)
        yield "head queries", head
        yield "tail queries", ~head
        words = np.array([len(text.split()) for text in self.queries.tolist()], np.int64)
        for low, high in LENGTHS:
            name = f"queries of {low} to {high} words" if high else f"queries of {low}+ words"
            yield name, (words >= low) & (words <= (high or words.max(initial=low)))

    def _mark_head(self, share: float) -> NDArray[np.bool_]:
        """Mark the pairs of the `share` of the queries that were shown most, [N]; ties by text."""
        shown = dict(zip(self.queries.tolist(), self.shown.tolist(), strict=True))
        ranked = sorted(shown, key=lambda text: (-shown[text], text))
        head = ranked[: max(1, round(share * len(ranked)))]
        return np.isin(self.queries, head)


def compute_gold_figures(
    gold: Gold, p: Probabilities, predicted: NDArray[np.int64]
) -> dict[str, float]:
    """Compute the weighted figures: qwk, exact, within_one, recall_0 .. recall_2, ece_ge_1,
    ece_ge_2.

    Args:
        p: answers to the gold pairs.
        predicted: [N] the grades that they make.
    """
    table = count_confusion(gold.grades, predicted, gold.weight)
    agreed = {name: float(value) for name, value in compute_agreement(table).items()}
    return agreed | compute_calibration_errors(p, gold.grades, gold.weight)


def compute_segment_figures(
    gold: Gold, predicted: NDArray[np.int64], head_share: float, least: int
) -> dict[str, dict[str, float]]:
    """Compute segment -> pairs, qwk and within_one; segments of fewer than `least` pairs are left
    out."""
    by_segment: dict[str, dict[str, float]] = {}
    for name, mask in gold.iterate_segments(head_share):
        if int(mask.sum()) >= least:
            table = count_confusion(gold.grades[mask], predicted[mask], gold.weight[mask])
            figures = compute_agreement(table)
            by_segment[name] = {
                "pairs": float(mask.sum()),
                "qwk": float(figures["qwk"]),
                "within_one": float(figures["within_one"]),
            }
    return by_segment


def estimate_kappa_difference(
    gold: Gold,
    predicted: NDArray[np.int64],
    reference: NDArray[np.int64],
    replicates: int,
    confidence: float,
    seed: int,
) -> Estimate:
    """Estimate the kappa of `predicted` less that of `reference`, paired bootstrap over queries."""
    names, at = np.unique(gold.queries, return_inverse=True)
    ours, theirs = (
        _count_by_query(gold, grades, at, len(names)) for grades in (predicted, reference)
    )
    bootstrap = BlockBootstrap(len(names), replicates, confidence, seed)
    return bootstrap.estimate(_compute_kappa_gap, np.ones(len(names)), ours, theirs)


def estimate_kappa(
    gold: Gold, predicted: NDArray[np.int64], replicates: int, confidence: float, seed: int
) -> Estimate:
    """Estimate kappa with its interval by bootstrap over queries."""
    names, at = np.unique(gold.queries, return_inverse=True)
    tables = _count_by_query(gold, predicted, at, len(names))
    bootstrap = BlockBootstrap(len(names), replicates, confidence, seed)
    return bootstrap.estimate(compute_kappa, np.ones(len(names)), tables)


def _compute_kappa_gap(ours: Floats, theirs: Floats) -> Floats:
    return np.asarray(compute_kappa(ours) - compute_kappa(theirs), np.float64)


def _count_by_query(
    gold: Gold, predicted: NDArray[np.int64], at: NDArray[np.intp], queries: int
) -> Floats:
    """Count the confusion of each query, [queries, 3, 3]."""
    tables = np.zeros((queries, GRADE_COUNT, GRADE_COUNT))
    np.add.at(tables, (at, gold.grades, predicted), gold.weight)
    return tables


def compute_weights(masses: Floats, mix: Sequence[float]) -> Floats:
    """Compute weights [N] that give graded pairs another mix of grades; their mean is 1.

    Args:
        masses: [N, 3] P(grade = 0), 1, 2 of the labels (0 and 1 where they are hard).
        mix: the wanted shares.
    """
    shares = masses.mean(axis=0)
    wanted = np.asarray(mix, np.float64) / float(np.sum(mix))
    ratio = np.divide(wanted, shares, out=np.zeros(GRADE_COUNT), where=shares > 0)
    weight = masses @ ratio
    return np.asarray(weight / weight.mean(), np.float64)
