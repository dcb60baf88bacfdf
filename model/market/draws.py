"""Random numbers as functions of a seed and of keys."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pandas.util import hash_array
from scipy.special import ndtri

from model.arrays import Floats, Ints

Bools = NDArray[np.bool_]
Texts = NDArray[np.object_]
Keys = NDArray[np.uint64]

_MANTISSA_BITS = 52
"""Random bits of a draw: with the 1/2 that is added they fill a float64."""
_STEP, _MIXERS = 0x9E3779B97F4A7C15, ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB))
"""Of SplitMix64 (Steele, Lea and Flood 2014)."""


@dataclass(frozen=True)
class Draws:
    """Draws of one seed. `purpose` separates draws that share keys; equal calls, equal draws.

    Keys are whole numbers or texts and broadcast against each other.
    """

    seed: int

    def draw_uniform(self, purpose: str, *keys: ArrayLike) -> Floats:
        """Draw from the uniform distribution on the open interval (0, 1)."""
        with np.errstate(over="ignore"):
            state = as_keys([purpose])[0] + np.uint64(self.seed)
            for key in keys:
                state = _mix_bits(state + as_keys(key) * np.uint64(_STEP))
        top = np.asarray(state >> np.uint64(64 - _MANTISSA_BITS), np.float64)
        return (top + 0.5) * 2.0**-_MANTISSA_BITS

    def draw_normal(self, purpose: str, *keys: ArrayLike) -> Floats:
        """Draw from the standard normal distribution."""
        return np.asarray(ndtri(self.draw_uniform(purpose, *keys)), np.float64)

    def draw_below(self, count: ArrayLike, purpose: str, *keys: ArrayLike) -> Ints:
        """Draw whole numbers, each of 0 .. count - 1 as likely."""
        return np.asarray(self.draw_uniform(purpose, *keys) * np.asarray(count), np.int64)


def as_keys(values: ArrayLike) -> Keys:
    """Turn values into keys: whole numbers as they are, texts (None allowed) by their hash."""
    array = np.asarray(values)
    if array.dtype.kind in "iu":
        return array.astype(np.uint64)
    texts = array.astype(object).ravel()
    return np.asarray(hash_array(texts, categorize=False)).reshape(array.shape)


def draw_zipf_ranks(uniform: Floats, count: int, exponent: float) -> Ints:
    """Turn uniform draws into ranks from 0 whose frequency falls about as (rank + 1)^-exponent.

    Inverse of the distribution function with density x^-exponent on [1, count + 1):
    P(rank < r) = H(r + 1) / H(count + 1), H(x) = integral from 1 to x.
    """
    if exponent == 1.0:
        drawn = (count + 1.0) ** uniform
    else:
        power = 1.0 - exponent
        drawn = (uniform * ((count + 1.0) ** power - 1) + 1) ** (1 / power)
    return np.minimum(drawn.astype(np.int64) - 1, count - 1)


def choose_index(weights: Sequence[float], uniform: Floats) -> Ints:
    """Choose the index of the entry whose share of the weights holds the uniform draw."""
    ends = np.cumsum(weights) / sum(weights)
    return np.asarray(np.searchsorted(ends[:-1], uniform, side="right"), np.int64)


def compute_sigmoid(logit: Floats) -> Floats:
    """Compute 1 / (1 + exp(-logit))."""
    return np.asarray(1.0 / (1.0 + np.exp(-logit)), np.float64)


def _mix_bits(state: Keys) -> Keys:
    for shift, factor in _MIXERS:
        state = (state ^ (state >> np.uint64(shift))) * np.uint64(factor)
    return state ^ (state >> np.uint64(31))
