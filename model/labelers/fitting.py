"""What every fitted labeler checks first, and the version that it takes from what it learnt."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from model.arrays import Floats
from model.evaluation.metrics import compute_log_losses
from model.files import short_hash
from model.labelers.base import (
    GRADE_COUNT,
    ORDER_SLACK,
    LabelerError,
    Pairs,
    Probabilities,
    Targets,
)


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
        ge_1, ge_2 = labels.label_ge_1, labels.label_ge_2
        if not np.all((ge_2 >= 0) & (ge_2 <= ge_1 + ORDER_SLACK) & (ge_1 <= 1)):
            raise LabelerError(f"a {what} label breaks 0 <= P(>= 2) <= P(>= 1) <= 1")
    masses = sum_grade_masses(targets)
    absent = [str(grade) for grade in range(GRADE_COUNT) if not masses[grade] > 0]
    if absent:
        raise LabelerError(f"no training pair has grade {', '.join(absent)}; add some or resample")


def sum_grade_masses(targets: Targets) -> list[float]:
    """Sum the weight of grade 0, 1 and 2 in (soft) targets."""
    ge_1, ge_2, weight = targets.label_ge_1, targets.label_ge_2, targets.weight
    return [float((weight * mass).sum()) for mass in (1 - ge_1, ge_1 - ge_2, ge_2)]


def compute_cross_entropy(p: Probabilities, targets: Targets) -> float:
    """Compute the weighted mean cross-entropy of both thresholds together against soft labels
    (nats)."""
    return float(np.average(compute_pair_losses(p, targets), weights=targets.weight))


def compute_pair_losses(p: Probabilities, targets: Targets) -> Floats:
    """Compute the cross-entropy (nats) of both thresholds together for each pair, [N]."""
    of_ge_1 = compute_log_losses(p.p_ge_1, targets.label_ge_1)
    return of_ge_1 + compute_log_losses(p.p_ge_2, targets.label_ge_2)


def is_clearly_worse(losses: Floats, than: Floats, weight: Floats) -> bool:
    """Tell whether the mean of losses [N] is larger by more than a standard error of the
    difference."""
    share = weight / weight.sum()
    difference = losses - than
    mean = float(share @ difference)
    return mean > float(np.sqrt(np.square(share) @ np.square(difference - mean)))


def hash_data(pairs: Pairs, targets: Targets) -> str:
    """Hash the texts, labels and weights of training pairs, in their order (sha256, hex)."""
    digest = hashlib.sha256()
    for query, item in zip(pairs.queries, pairs.items, strict=True):
        digest.update(f"{len(query)} {len(item)} {query}{item}".encode(errors="surrogatepass"))
    for values in (targets.label_ge_1, targets.label_ge_2, targets.weight):
        digest.update(np.ascontiguousarray(values, np.float64).tobytes())
    return digest.hexdigest()


def hash_parts(parts: Mapping[str, Any]) -> str:
    """Hash all that made a labeler (16 hex digits); JSON-able parts, in any order."""
    return short_hash(json.dumps(parts, sort_keys=True))
