"""Makes figures of equal rows equal, in whatever order Spark added the rows."""

from collections.abc import Sequence

import pandas as pd

DIGITS = 9
"""Of a sum that are kept after the point: Spark adds in the order in which rows arrive, so the last
ones of its sums change from run to run."""


def steady_sums(sums: pd.DataFrame, keys: Sequence[str], added: Sequence[str]) -> pd.DataFrame:
    """Sort rows by their keys and round what was added, so that equal rows give equal figures.

    A sum that lies within its last bits of a rounding edge can still differ; so can large ones,
    whose last bits are not below DIGITS.

    Args:
        sums: one row per value of the keys.
        keys: columns that name a row.
        added: columns that hold sums.
    """
    ordered = sums.sort_values(list(keys), ignore_index=True)
    return ordered.assign(**{name: ordered[name].round(DIGITS) for name in added})
