"""How likely a position is looked at, relative to position 1, estimated from a log."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.isotonic import IsotonicRegression

Floats = NDArray[np.float64]


def examination_curve(clicks: NDArray[Any], expected: NDArray[Any], floor: float) -> Floats:
    """Relative examination e(1) = 1 >= e(2) >= ... of K positions.

    e(k) is clicks over expected clicks at position k, made non-increasing and divided by its value
    at 1. The expected clicks are the sum of predicted P(click at position 1) over the items that
    stood there: a logger puts better items on top, and dividing by the bare click rate would take
    that for examination. What it cannot mend: a model that itself mistakes position for quality,
    and trust in the top that changes a click's meaning.

    Args:
        clicks: [K] clicks at positions 1..K.
        expected: [K] sum of predicted P(click) there; a position with 0 takes what lies on the
            line between its known neighbours, beyond the last one the last one's value.
        floor: least value kept, so that a weight 1 / e(k) stays bounded.

    Returns:
        [K]; all ones where there are no clicks or no expectation at all.
    """
    observed, weight = np.asarray(clicks, np.float64), np.asarray(expected, np.float64)
    known = weight > 0
    if not known.any() or observed.sum() <= 0:
        return np.ones(len(observed))
    positions = np.arange(1, len(observed) + 1, dtype=np.float64)
    fit = IsotonicRegression(increasing=False, out_of_bounds="clip")
    fit.fit(positions[known], observed[known] / weight[known], sample_weight=weight[known])
    fitted = np.asarray(fit.predict(positions), dtype=np.float64)
    return np.clip(fitted / fitted[0], floor, 1.0) if fitted[0] > 0 else np.ones(len(observed))
