"""Calibration of predicted probabilities, fitted on validation rows, kept as JSON.

Engagement maps are fitted on predictions that include the position bias, against labels logged
at those positions, and applied to predictions for position 1. That is sound as far as the bias
term is right: the map then corrects the attractiveness part only, on the whole range that the
predictions at position 1 cover. Fitting on position-1 predictions against labels of all
positions would teach the map the average examination instead.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from scipy.optimize import isotonic_regression

from conf.sections.training import CalibrationConf

Array = npt.NDArray[np.float64]
_TILT = 1e-3
"""Share of its own prediction that is mixed into a label, so that every block rises."""
_EDGE = 1e-12
"""Distance from 0 and 1 within which a block gives way to the map's end points."""


class Calibrator(Protocol):
    """A monotone map of probabilities."""

    def __call__(self, p: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Map [N] probabilities to [N] calibrated ones."""
        ...

    def to_json(self) -> dict[str, Any]:
        """Give plain JSON for `from_json`."""
        ...


@dataclass(frozen=True)
class Identity:
    """Leaves the probability as it is: no method, or too few labels."""

    def __call__(self, p: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return p

    def to_json(self) -> dict[str, Any]:
        return {"kind": "identity"}


@dataclass(frozen=True)
class Knots:
    """Linear between the knots: what isotonic regression becomes.

    Attributes:
        x: predicted, from 0 to 1, strictly increasing.
        y: calibrated, strictly increasing.
    """

    x: Array
    y: Array

    def __call__(self, p: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return np.interp(p, self.x, self.y)

    def to_json(self) -> dict[str, Any]:
        return {"kind": "knots", "x": self.x.tolist(), "y": self.y.tolist()}


@dataclass(frozen=True)
class Platt:
    """sigmoid(slope * logit(p) + offset), slope > 0 (Platt 1999, on the logit)."""

    slope: float
    offset: float

    def __call__(self, p: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return _compute_sigmoid(self.slope * _compute_logit(p) + self.offset)

    def to_json(self) -> dict[str, Any]:
        return {"kind": "platt", "slope": self.slope, "offset": self.offset}


def fit_map(p: Array, label: Array, weight: Array, conf: CalibrationConf) -> Calibrator | None:
    """Fit the map of conf's method, or None where positives or negatives are too few.

    Args:
        p: [N] predicted probabilities.
        label: [N] in 0..1, soft labels allowed.
        weight: [N], 0 where the label is unknown.
    """
    labelled = weight > 0
    p, label, weight = p[labelled], label[labelled], weight[labelled]
    positives, negatives = label.sum(), (1.0 - label).sum()
    if min(positives, negatives) < conf.min_positives:
        return None
    if conf.method == "isotonic":
        return fit_isotonic(p, label, weight, conf.bins, conf.bin_rows)
    return fit_platt(p, label, weight) if conf.method == "platt" else Identity()


def fit_isotonic(p: Array, label: Array, weight: Array, bins: int, bin_rows: int) -> Knots:
    """Fit an isotonic regression whose blocks are joined by straight lines between their centres.

    Plain isotonic regression is a step function: all pairs of a block would tie, and the ranking
    by value with them. Here a block stands at its mean prediction, the map runs linearly from
    (0, 0) over the blocks' centres to (1, 1), and each label is mixed with 0.1 % of its own
    prediction, so that even a block without a positive rises: the map is strictly increasing.
    Rows are first put into at most `bins` bins of about equal rows, `bin_rows` at least, so that
    a single row at an end makes no block.
    """
    order = np.argsort(p, kind="stable")
    p, label, weight = p[order], label[order], weight[order]
    count = max(1, min(bins, len(p) // bin_rows))
    starts = np.unique(np.searchsorted(p, p[np.arange(count) * len(p) // count], side="left"))
    mass = np.add.reduceat(weight, starts)
    x = np.add.reduceat(weight * p, starts) / mass
    y = np.add.reduceat(weight * ((1.0 - _TILT) * label + _TILT * p), starts) / mass
    x, y = _pool_blocks(x, y, mass)
    inside = (x > _EDGE) & (x < 1.0 - _EDGE)
    return Knots(*(np.concatenate([[0.0], knots[inside], [1.0]]) for knots in (x, y)))


def fit_platt(p: Array, label: Array, weight: Array, steps: int = 50) -> Calibrator:
    """Fit a weighted logistic regression of the label on the logit, by Newton's method.

    A fit whose slope is not positive would turn the ranking round: the slope is then kept at 1
    and the offset alone is fitted.
    """
    x = _compute_logit(p)
    slope, offset = _fit_newton(
        np.stack([x, np.ones_like(x)]), np.zeros_like(x), label, weight, steps
    )
    if slope > 0:
        return Platt(float(slope), float(offset))
    (offset,) = _fit_newton(np.ones((1, len(x))), x, label, weight, steps)
    return Platt(1.0, float(offset))


def from_json(content: Mapping[str, Any]) -> Calibrator:
    """Read the map that `to_json` described.

    Raises:
        ValueError: an unknown kind, or knots that do not increase.
    """
    kind = content.get("kind")
    if kind == "identity":
        return Identity()
    if kind == "platt":
        return Platt(float(content["slope"]), float(content["offset"]))
    if kind == "knots":
        x, y = np.asarray(content["x"], float), np.asarray(content["y"], float)
        if x.shape != y.shape or (np.diff(x) <= 0).any() or (np.diff(y) < 0).any():
            raise ValueError("knots of a calibrator must increase")
        return Knots(x, y)
    raise ValueError(f"unknown calibrator {kind!r}")


def _pool_blocks(x: Array, y: Array, weight: Array) -> tuple[Array, Array]:
    """Pool adjacent violators: centres (x, y) of the blocks, y strictly increasing."""
    pooled = isotonic_regression(y, weights=weight)
    level = pooled.x[pooled.blocks[:-1]]
    starts = pooled.blocks[:-1][np.diff(level, prepend=-np.inf) > 0]  # equal neighbours are one
    mass = np.add.reduceat(weight, starts)
    return np.add.reduceat(weight * x, starts) / mass, np.add.reduceat(weight * y, starts) / mass


def _fit_newton(design: Array, base: Array, label: Array, weight: Array, steps: int) -> Array:
    """Fit the coefficients [K] of a logistic regression with offset `base`; design [K, N]."""
    beta = np.zeros(len(design))
    ridge = 1e-6 * np.eye(len(design))
    for _ in range(steps):
        q = _compute_sigmoid(beta @ design + base)
        gradient = design @ (weight * (label - q))
        curvature = (design * (weight * q * (1.0 - q))) @ design.T + ridge
        step = np.clip(np.linalg.solve(curvature, gradient), -2.0, 2.0)
        beta = beta + step
        if np.abs(step).max() < 1e-10:
            break
    return beta


def _compute_logit(p: npt.NDArray[Any]) -> Array:
    clipped = np.clip(np.asarray(p, float), 1e-9, 1.0 - 1e-9)
    return np.asarray(np.log(clipped) - np.log1p(-clipped))


def _compute_sigmoid(x: Array) -> Array:
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * x)))
