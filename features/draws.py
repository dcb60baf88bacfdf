"""Draws by a hash of keys: the same rows whatever the partitions, and in every later run."""

from pyspark.sql import Column
from pyspark.sql import functions as F

_STEPS = 1_000_000
"""Steps that a share is cut to: finer than any share that is asked for."""


def draw_hash(seed: int, purpose: str, *keys: Column | str) -> Column:
    """Draw a long by the keys; draws of different purposes are independent."""
    return F.xxhash64(F.lit(seed), F.lit(purpose), *keys)


def take_share(hashed: Column, share: float) -> Column:
    """Tell whether a hash falls among about `share` of all hashes."""
    return F.pmod(hashed, F.lit(_STEPS)) < F.lit(int(share * _STEPS))
