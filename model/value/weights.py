"""The value model: one number per candidate, from its probabilities and the weights of its region.

    value = w_click p_click + w_cart p_cart + w_purchase p_purchase + w_relevance relevance / 2

with relevance = P(grade >= 1) + P(grade >= 2), the expected grade, so that relevance / 2 lies in
[0, 1] like the probabilities. Probabilities are calibrated before they come here.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conf.errors import UserError
from conf.load import section_hash
from conf.sections.value import ValueConf, Weights

Floats = NDArray[np.floating[Any]]
PROBABILITIES = ("p_click", "p_cart", "p_purchase")


class ValueModelError(UserError, ValueError):
    """Weights or probabilities that cannot rank anything; the message names them."""


@dataclass(frozen=True)
class ValueWeights:
    """Weights of one region, each finite and not negative.

    Raises:
        ValueModelError: a weight is negative, infinite or not a number.
    """

    click: float
    cart: float
    purchase: float
    relevance: float

    def __post_init__(self) -> None:
        wrong = {k: v for k, v in asdict(self).items() if not math.isfinite(v) or v < 0}
        if wrong:
            raise ValueModelError(f"weights must be finite and not negative, given {wrong}")

    @classmethod
    def from_conf(cls, weights: Weights) -> "ValueWeights":
        """Read the weights of a conf section."""
        return cls(weights.click, weights.cart, weights.purchase, weights.relevance)

    def as_tuple(self) -> tuple[float, float, float, float]:
        """Give (click, cart, purchase, relevance)."""
        return self.click, self.cart, self.purchase, self.relevance


@dataclass(frozen=True)
class WeightTable:
    """Weights by region; a region that is not listed takes `default`."""

    default: ValueWeights
    by_region: Mapping[str, ValueWeights] = field(default_factory=dict)

    @classmethod
    def from_conf(cls, conf: ValueConf) -> "WeightTable":
        """Read the table that conf describes."""
        by_region = {region: ValueWeights.from_conf(w) for region, w in conf.by_region.items()}
        return cls(ValueWeights.from_conf(conf.weights), by_region)

    @classmethod
    def from_json(cls, text: str) -> "WeightTable":
        """Read the table that `to_json` wrote."""
        content = json.loads(text)
        by_region = {region: ValueWeights(**w) for region, w in content["by_region"].items()}
        return cls(ValueWeights(**content["default"]), by_region)

    def to_json(self) -> str:
        """Give canonical JSON: equal tables give equal text."""
        content = {
            "default": asdict(self.default),
            "by_region": {region: asdict(w) for region, w in self.by_region.items()},
        }
        return json.dumps(content, sort_keys=True)

    @property
    def version(self) -> str:
        """Hash of the weights of all regions (16 hex digits)."""
        return section_hash(json.loads(self.to_json()))

    def get_region(self, region: str) -> ValueWeights:
        """Give the weights of a region, known or not."""
        return self.by_region.get(region, self.default)

    def build_matrix(self, regions: Sequence[str]) -> NDArray[np.float64]:
        """Build the weights of each of Q regions, [Q, 4]: click, cart, purchase, relevance."""
        by_name = {region: self.get_region(region).as_tuple() for region in set(regions)}
        rows = [by_name[region] for region in regions]
        return np.asarray(rows, dtype=np.float64).reshape(len(rows), 4)


def compute_value(
    predictions: Mapping[str, Floats], weights: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Compute the value of N candidates.

    The sum is taken in float64, in the order of the formula, and rounded once: `reweight` does the
    same in Spark and gets the same bits.

    Args:
        predictions: p_click, p_cart, p_purchase and relevance, [N] each.
        weights: [4] for all candidates, or [N, 4].

    Raises:
        ValueModelError: a value is not finite.
    """
    w = weights.reshape(-1, 4).astype(np.float64)
    total = w[:, 0] * predictions["p_click"].astype(np.float64)
    total = total + w[:, 1] * predictions["p_cart"].astype(np.float64)
    total = total + w[:, 2] * predictions["p_purchase"].astype(np.float64)
    total = total + w[:, 3] * (predictions["relevance"].astype(np.float64) / 2.0)
    if not np.isfinite(total).all():
        raise ValueModelError(f"{int((~np.isfinite(total)).sum())} values are not finite")
    return total.astype(np.float32)


def compute_ranks(values: Floats, counts: NDArray[np.integer[Any]]) -> NDArray[np.int32]:
    """Rank from 1 within each query by descending value; ties keep the order of the candidates.

    Args:
        values: [N], the candidates of one query after the other.
        counts: [Q] candidates of each query, sum N.

    Returns:
        [N] ranks.

    Raises:
        ValueModelError: the counts do not add up to N.
    """
    if int(counts.sum()) != len(values):
        raise ValueModelError(f"counts add up to {int(counts.sum())}, there are {len(values)}")
    query = np.repeat(np.arange(len(counts), dtype=np.uint64), counts)
    order = np.argsort((query << np.uint64(32)) | _invert_order(values), kind="stable")
    starts = np.cumsum(counts) - counts
    result = np.empty(len(values), dtype=np.int32)
    result[order] = np.arange(len(values)) - np.repeat(starts, counts) + 1
    return result


def _invert_order(values: Floats) -> NDArray[np.uint32]:
    """Turn float32 values into unsigned integers of the opposite order: one integer sort is cheaper
    than a lexical sort by query and value."""
    bits = (values.astype(np.float32) + np.float32(0.0)).view(np.uint32)  # -0.0 becomes 0.0
    sign = np.uint32(1 << 31)
    return np.where(bits & sign, bits, ~(bits | sign)).astype(np.uint32)
