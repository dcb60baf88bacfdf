"""Random numbers as functions of a seed and of keys."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import pi

from pyspark.sql import Column
from pyspark.sql import functions as F

_MANTISSA_BITS = 52


@dataclass(frozen=True)
class Draws:
    """Draws of one seed. `purpose` separates draws that share keys; equal calls, equal draws."""

    seed: int

    def uniform(self, purpose: str, *keys: Column) -> Column:
        """Uniform on the open interval (0, 1), a double."""
        hashed = F.xxhash64(F.lit(self.seed), F.lit(purpose), *keys)
        top = F.shiftrightunsigned(hashed, 64 - _MANTISSA_BITS)
        return (top + F.lit(0.5)) * F.lit(2.0**-_MANTISSA_BITS)

    def normal(self, purpose: str, *keys: Column) -> Column:
        """Standard normal by Box and Muller's transform."""
        radius = F.sqrt(F.lit(-2.0) * F.log(self.uniform(f"{purpose}/radius", *keys)))
        return radius * F.cos(F.lit(2 * pi) * self.uniform(f"{purpose}/angle", *keys))

    def below(self, count: Column | int, purpose: str, *keys: Column) -> Column:
        """Uniform on 0 .. count - 1, a long."""
        return F.floor(self.uniform(purpose, *keys) * count)


def zipf_rank(uniform: Column, count: int, exponent: float) -> Column:
    """Rank from 0 whose frequency falls about as (rank + 1)^-exponent, a long.

    Inverse of the distribution function with density x^-exponent on [1, count + 1):
    P(rank < r) = H(r + 1) / H(count + 1), H(x) = integral from 1 to x.
    """
    if exponent == 1.0:
        drawn = F.pow(F.lit(count + 1.0), uniform)
    else:
        power = 1.0 - exponent
        drawn = F.pow(uniform * ((count + 1.0) ** power - 1) + 1, F.lit(1 / power))
    return F.least(F.floor(drawn) - 1, F.lit(count - 1).cast("long"))


def cumulative(weights: Sequence[float]) -> list[float]:
    """Upper ends of the shares of `weights`, the last one 1."""
    total = sum(weights)
    ends = [sum(weights[: i + 1]) / total for i in range(len(weights))]
    return [*ends[:-1], 1.0]


def choose(values: Sequence[str], weights: Sequence[float], uniform: Column) -> Column:
    """The value whose share of the weights holds the uniform draw."""
    ends = cumulative(weights)
    chosen = F.lit(values[-1])
    for value, end in reversed(list(zip(values[:-1], ends[:-1], strict=True))):
        chosen = F.when(uniform < end, F.lit(value)).otherwise(chosen)
    return chosen


Values = Sequence["str | float | Values"]


def literals(values: Values) -> Column:
    """The values as one array literal; sequences in it become arrays."""
    return F.expr(_sql(values))


def lookup(values: Values, index: Column) -> Column:
    """values[index], index from 0."""
    return entry(literals(values), index)


def entry(values: Column, index: Column) -> Column:
    """The entry of an array column, index from 0."""
    return F.element_at(values, (index + 1).cast("int"))


def _sql(value: "str | float | Values") -> str:
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace("'", "\\'")
        return f"'{escaped}'"
    if isinstance(value, int | float):
        return f"{float(value)!r}D"
    return f"array({', '.join(map(_sql, value))})"


def sigmoid(logit: Column) -> Column:
    """1 / (1 + exp(-logit))."""
    return F.lit(1.0) / (F.lit(1.0) + F.exp(-logit))
