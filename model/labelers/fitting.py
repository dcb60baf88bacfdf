"""What every fitted labeler checks first, and the version that it takes from what it learnt."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from model.labelers.base import GRADE_COUNT, Floats, LabelerError, Pairs, Probabilities, Targets

_ORDER_SLACK = 1e-6
_TINY = 1e-7


def check_fit(pairs: Pairs, targets: Targets, validation: tuple[Pairs, Targets]) -> None:
    """Refuse what nothing can be learnt from.

    Raises:
        LabelerError: no pairs, lengths differ, a label outside [0, 1] or out of order, or a grade
            that no training pair has.
    """
    for what, (texts, labels) in {"training": (pairs, targets), "validation": validation}.items():
        if len(texts) == 0:
            raise LabelerError(f"no {what} pairs")
        if len(texts) != len(labels):
            raise LabelerError(f"{len(texts)} {what} pairs beside {len(labels)} labels")
        first, second = labels.label_ge_1, labels.label_ge_2
        if not np.all((second >= 0) & (second <= first + _ORDER_SLACK) & (first <= 1)):
            raise LabelerError(f"a {what} label breaks 0 <= P(>= 2) <= P(>= 1) <= 1")
    masses = grade_masses(targets)
    absent = [str(grade) for grade in range(GRADE_COUNT) if not masses[grade] > 0]
    if absent:
        raise LabelerError(f"no training pair has grade {', '.join(absent)}; add some or resample")


def grade_masses(targets: Targets) -> list[float]:
    """Weight of grade 0, 1 and 2 in (soft) targets."""
    first, second, weight = targets.label_ge_1, targets.label_ge_2, targets.weight
    return [float((weight * mass).sum()) for mass in (1 - first, first - second, second)]


def cross_entropy(p: Probabilities, targets: Targets) -> float:
    """Weighted mean cross-entropy of both thresholds together against soft labels (nats)."""
    return float(np.average(pair_losses(p, targets), weights=targets.weight))


def pair_losses(p: Probabilities, targets: Targets) -> Floats:
    """[N] cross-entropy of both thresholds together of each pair (nats)."""
    total = np.zeros(len(p))
    for found, label in ((p.p_ge_1, targets.label_ge_1), (p.p_ge_2, targets.label_ge_2)):
        safe = found.clip(_TINY, 1 - _TINY)
        total -= label * np.log(safe) + (1 - label) * np.log1p(-safe)
    return total


def clearly_worse(losses: Floats, than: Floats, weight: Floats) -> bool:
    """Whether the mean of losses [N] is larger by more than a standard error of the difference."""
    share = weight / weight.sum()
    difference = losses - than
    mean = float(share @ difference)
    return mean > float(np.sqrt(np.square(share) @ np.square(difference - mean)))


def data_digest(pairs: Pairs, targets: Targets) -> str:
    """sha256 (hex) over the texts, labels and weights of training pairs, in their order."""
    digest = hashlib.sha256()
    for query, item in zip(pairs.queries, pairs.items, strict=True):
        digest.update(f"{len(query)} {len(item)} {query}{item}".encode(errors="surrogatepass"))
    for values in (targets.label_ge_1, targets.label_ge_2, targets.weight):
        digest.update(np.ascontiguousarray(values, np.float64).tobytes())
    return digest.hexdigest()


def version_of(parts: Mapping[str, Any]) -> str:
    """16 hex digits over all that made a labeler; JSON-able parts, their order is no matter."""
    text = json.dumps(parts, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
