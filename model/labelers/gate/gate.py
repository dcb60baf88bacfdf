"""Whether a labeler may label production: its figures on the gold set against conf's limits."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conf.sections.labelers.labeling import GateConf
from model.labelers.base import GRADE_COUNT, LabelerError, Probabilities
from model.labelers.gate.gold import (
    Gold,
    compute_gold_figures,
    compute_segment_figures,
    estimate_kappa,
    estimate_kappa_difference,
)
from model.labelers.gate.within import measure_within_query
from model.labelers.mix.sampling import count_grades, require_all_grades

_NAMED = 3
"""Query texts that an error message names (count)."""


@dataclass(frozen=True)
class Graded:
    """What a labeler says of the gold pairs: its answers and the grades that they make, [N]."""

    p: Probabilities
    grades: NDArray[np.int64]


@dataclass(frozen=True)
class Verdict:
    """The gate's answer: admitted where no reason speaks against it; figures are JSON-able."""

    reasons: list[str]
    figures: dict[str, Any]

    @property
    def admitted(self) -> bool:
        """No reason speaks against it."""
        return not self.reasons


def judge_labeler(
    gold: Gold, candidate: Graded, reference: Graded | None, conf: GateConf, seed: int
) -> Verdict:
    """Hold a labeler against the limits, and against the admitted version where there is one.

    Args:
        gold: graded pairs that neither version was fitted on.
        candidate: what the new version says of them.
        reference: what the admitted version says of them.

    Raises:
        LabelerError: the gold set lacks a grade, or the answers are not of its pairs.
    """
    require_all_grades(count_grades(gold.grades), "the gold set")
    if len(candidate.p) != len(gold):
        raise LabelerError(f"{len(candidate.p)} answers to {len(gold)} gold pairs")
    figures: dict[str, Any] = dict(compute_gold_figures(gold, candidate.p, candidate.grades))
    query = np.unique(gold.queries, return_inverse=True)[1].astype(np.int64)
    figures |= measure_within_query(candidate.p.expected, gold.grades.astype(np.float64), query)
    interval = estimate_kappa(gold, candidate.grades, conf.bootstrap, conf.confidence, seed)
    figures["qwk_interval"] = [interval.low, interval.high]
    segments = compute_segment_figures(
        gold, candidate.grades, conf.head_share, conf.min_segment_pairs
    )
    figures["segments"] = segments
    reasons = [*_check_limits(figures, conf), *_check_segments(segments, conf)]
    if reference is not None:
        gap = estimate_kappa_difference(
            gold, candidate.grades, reference.grades, conf.bootstrap, conf.confidence, seed
        )
        figures["qwk_gain"] = [gap.value, gap.low, gap.high]
        if gap.high is not None and gap.high < 0:
            reasons.append(
                f"kappa is {-gap.value:.3f} below that of the admitted version, interval "
                f"{gap.low:.3f} to {gap.high:.3f}"
            )
    return Verdict(reasons, drop_nan(figures))


def require_unseen(gold: Iterable[str], seen: Iterable[str]) -> None:
    """Refuse a gold set that shares query texts with what a labeler was fitted or chosen on.

    Raises:
        LabelerError: names how many, and some of them.
    """
    shared = sorted(set(gold) & set(seen))
    if shared:
        named = ", ".join(repr(text) for text in shared[:_NAMED])
        raise LabelerError(
            f"{len(shared)} query texts of the gold set were used to fit this version ({named}); "
            "fit it again: conf split or labeling.gold_share changed since"
        )


def _check_limits(figures: Mapping[str, Any], conf: GateConf) -> list[str]:
    least = {
        "within_one": conf.min_within_one,
        "qwk": conf.min_qwk,
        "exact": conf.min_exact,
        **{f"recall_{grade}": conf.min_recall[grade] for grade in range(GRADE_COUNT)},
    }
    low = [
        f"{name} {figures[name]:.3f} is below {limit:g}"
        for name, limit in least.items()
        if not figures[name] >= limit
    ]
    high = [
        f"{name} {figures[name]:.3f} is above {conf.max_calibration_error:g}"
        for name in ("ece_ge_1", "ece_ge_2")
        if not figures[name] <= conf.max_calibration_error
    ]
    return low + high


def _check_segments(segments: Mapping[str, Mapping[str, float]], conf: GateConf) -> list[str]:
    limits = {"within_one": conf.min_segment_within_one, "qwk": conf.min_segment_qwk}
    return [
        f"{segment}: {name} {figures[name]:.3f} is below {limit:g} (worst of "
        f"{len(segments)} segments)"
        for name, limit in limits.items()
        for segment, figures in _find_worst(segments, name)
        if not figures[name] >= limit
    ]


def _find_worst(
    segments: Mapping[str, Mapping[str, float]], name: str
) -> list[tuple[str, Mapping[str, float]]]:
    """Find the segment with the least figure; none where no segment has one."""
    measured = [(s, figures) for s, figures in segments.items() if not np.isnan(figures[name])]
    return sorted(measured, key=lambda pair: (pair[1][name], pair[0]))[:1]


def drop_nan(value: Any) -> Any:
    """Replace NaN, which JSON has no word for, by None."""
    if isinstance(value, dict):
        return {key: drop_nan(part) for key, part in value.items()}
    if isinstance(value, list):
        return [drop_nan(part) for part in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value
