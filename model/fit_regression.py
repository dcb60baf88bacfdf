"""Logistic regressions of the grade on how well the texts fit."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

Floats = NDArray[np.float64]
_FAR = 8.0
"""Standard deviations at which a value is cut, as the input layer does by default."""
_STRENGTH = 1.0
"""Inverse variance of the normal prior on a weight: with few rows weights stay near 0."""


def fit_regressions(
    names: Sequence[str], z: Floats, label_ge: Floats, weight: Floats
) -> dict[str, list[float]]:
    """Weights by feature, two each, and the two intercepts under the empty name.

    The first regression is of grade >= 1, the second of grade >= 2 among rows that reach grade 1:
    the logits of the conditional chain (`model.heads.ordinal`). A soft label counts on both sides,
    by its probability.

    Args:
        names: the F features.
        z: [N, F] standardised values.
        label_ge: [N, 2], P(grade >= k) of the label.
        weight: [N].

    Returns:
        Nothing where a threshold has labels on one side only, or there are no features.
    """
    values = np.clip(z, -_FAR, _FAR)
    reached = np.ones(len(z))
    fitted = []
    for above in label_ge.T:
        sides = np.concatenate([weight * above, weight * (reached - above)])
        if not names or sides[: len(z)].sum() <= 0 or sides[len(z) :].sum() <= 0:
            return {}
        told = sides > 0
        both = np.concatenate([values, values])[told]
        answer = np.repeat([1, 0], len(z))[told]
        model = LogisticRegression(C=1.0 / _STRENGTH, max_iter=200)
        model.fit(both, answer, sample_weight=sides[told])
        fitted.append([float(model.intercept_[0]), *map(float, model.coef_[0])])
        reached = above
    return dict(zip(("", *names), np.transpose(fitted).tolist(), strict=True))
