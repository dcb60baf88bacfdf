"""How many pairs of each grade a labeler is fitted on, and production's mix of grades."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from conf.sections.labelers.labeling import Mix, MixConf
from model.arrays import Floats
from model.labelers.base import GRADE_COUNT, LabelerError

Counts = tuple[int, int, int]


def compute_quotas(counts: Sequence[int], conf: MixConf, most: int) -> Counts:
    """Compute how many pairs of grade 0, 1, 2 to draw, from so many that there are.

    The shares of the wanted mix are met; the scarcest grade in it, and `most` pairs in all, bound
    the size.

    Args:
        counts: pairs of each grade that there are.
        most: pairs at most.

    Raises:
        LabelerError: a grade has no pair.
    """
    require_all_grades(counts, "the pairs to fit on")
    available = np.asarray(counts, np.float64)
    if conf.sampling == "production":
        wanted = available / available.sum()
    elif conf.sampling == "balanced":
        wanted = np.full(GRADE_COUNT, 1.0 / GRADE_COUNT)
    else:
        wanted = np.asarray(conf.given) / sum(conf.given)
    size = min(float(most), float((available / wanted).min()))
    drawn = np.maximum(np.floor(size * wanted + 1e-9), 1).astype(int)
    return int(drawn[0]), int(drawn[1]), int(drawn[2])


def require_all_grades(counts: Sequence[int], what: str) -> None:
    """Refuse sets of pairs that lack a grade.

    Raises:
        LabelerError: names the absent grades and how many pairs there are.
    """
    absent = [str(grade) for grade in range(GRADE_COUNT) if not counts[grade]]
    if absent:
        raise LabelerError(
            f"grade {' and '.join(absent)} is absent from {what} ({int(sum(counts))} pairs); have "
            "more pairs judged, or move buckets between split.train and split.validation"
        )


def compute_mix(counts: Sequence[float]) -> Mix:
    """Compute the shares of grade 0, 1, 2; all must be above 0 in sum."""
    shares = np.asarray(counts, np.float64) / float(np.sum(counts))
    return float(shares[0]), float(shares[1]), float(shares[2])


def format_mix(mix: Sequence[float], digits: int = 0) -> str:
    """Format the shares of grade 0, 1, 2 in percent, as `7/47/46 %`."""
    return "/".join(f"{100 * share:.{digits}f}" for share in mix) + " %"


def stratify_mix(graded: Mapping[str, Sequence[float]], population: Mapping[str, float]) -> Mix:
    """Estimate production's mix from graded pairs that were not drawn as production shows them.

    Post-stratification (Holt and Smith 1979): sum over strata of the stratum's share of the
    population times the mix of its graded pairs. Strata without a graded pair are left out, and
    the shares of the others scaled up.

    Args:
        graded: stratum -> graded pairs of grade 0, 1, 2.
        population: stratum -> pairs that production shows.

    Raises:
        LabelerError: no stratum of the population has a graded pair.
    """
    total: Floats = np.zeros(GRADE_COUNT)
    for stratum, size in population.items():
        counts = np.asarray(graded.get(stratum, (0, 0, 0)), np.float64)
        if counts.sum() > 0:
            total += size * counts / counts.sum()
    if not total.sum() > 0:
        raise LabelerError("no stratum that production shows has a graded pair")
    return compute_mix([float(part) for part in total])


def compute_total_variation(a: Sequence[float], b: Sequence[float]) -> float:
    """Compute half the sum of |a_g - b_g| of two mixes: the share of pairs that change their
    grade."""
    return float(np.abs(np.asarray(a, np.float64) - np.asarray(b, np.float64)).sum() / 2)


def count_grades(grades: NDArray[np.int64]) -> Counts:
    """Count the pairs of grade 0, 1, 2 among graded pairs [N]."""
    counts = np.bincount(grades, minlength=GRADE_COUNT)
    return int(counts[0]), int(counts[1]), int(counts[2])
