"""How the scores of right grades scatter, read off the middle of all scores.

People may like a pair for reasons that no grade covers, and then click, cart and buy it more often.
So the steps of the funnel are not independent, and the combined score scatters more than a standard
normal one. The empirical null (Efron 2004) takes centre and width from the middle half of the
scores, where wrong grades are few.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

_STEP = 0.05
"""Width of the steps that scores are counted by: small beside the width of a null, which is 1 at
least."""
_QUARTILE = 0.6744897501960817
"""Upper quartile of a standard normal score: the middle half is twice as wide."""
_LEAST_UNITS = 30
"""With fewer units the quartiles of the scores say little."""


@dataclass(frozen=True)
class Null:
    """Centre and width of the scores of one grade; the width is 1 at least."""

    centre: float
    width: float


def fit_null(scored: DataFrame) -> dict[int, Null]:
    """Fit the null of each grade; counts by steps of 0.05 reach the driver.

    Of a grade with fewer than 30 units nothing is estimated: centre 0, width 1.

    Args:
        scored: grade and the score z, of the units that are tested.
    """
    step = F.floor(F.col("z") / _STEP).cast("int").alias("step")
    counts: dict[int, dict[int, int]] = {}
    for row in scored.groupBy("grade", step).count().collect():
        counts.setdefault(row["grade"], {})[row["step"]] = int(row["count"])
    return {grade: _null_of(steps) for grade, steps in sorted(counts.items())}


def compute_quantiles(steps: Mapping[int, int], shares: Sequence[float]) -> list[float]:
    """Compute the scores below which these shares of the units lie, linear within a step.

    Args:
        steps: units by step; step n holds the scores from 0.05 n to 0.05 (n + 1).
        shares: ascending, in (0, 1).
    """
    scores: list[float] = []
    total, before = sum(steps.values()), 0
    wanted = [share * total for share in shares]
    for step in sorted(steps):
        while len(scores) < len(wanted) and wanted[len(scores)] <= before + steps[step]:
            scores.append(_STEP * (step + (wanted[len(scores)] - before) / steps[step]))
        before += steps[step]
    return scores


def _null_of(steps: Mapping[int, int]) -> Null:
    if sum(steps.values()) < _LEAST_UNITS:
        return Null(0.0, 1.0)
    low, middle, high = compute_quantiles(steps, (0.25, 0.5, 0.75))
    return Null(round(middle, 6), max(1.0, round((high - low) / (2 * _QUARTILE), 6)))
