"""What an interval of a difference says, in words."""

from typing import Literal

from model.evaluation.bootstrap import Estimate

Verdict = Literal["better", "worse", "no difference seen", "cannot tell"]
_LOWER_IS_BETTER = (
    "log_loss.",
    "calibration_error.",
    "violations.",
    "served_violations.",
    "truth.error.",
)
_NEITHER = ("value.w_relevance",)


def lower_is_better(metric: str) -> bool:
    """Tell whether a smaller figure is the better one."""
    return metric.startswith(_LOWER_IS_BETTER)


def decide_verdict(metric: str, difference: Estimate | None) -> Verdict:
    """Decide: better or worse where the interval leaves out 0, no difference seen where it holds 0.

    Cannot tell where there is no interval, or no better and worse.
    """
    if difference is None or difference.low is None or difference.high is None:
        return "cannot tell"
    if metric.startswith(_NEITHER):
        return "cannot tell"
    if difference.low <= 0.0 <= difference.high:
        return "no difference seen"
    up = difference.low > 0.0
    return "better" if up != lower_is_better(metric) else "worse"
