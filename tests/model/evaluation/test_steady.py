"""Equal rows give equal figures, in whatever order Spark added them."""

import numpy as np
import pandas as pd

from model.evaluation.block_sums import ALL, BlockSums


def test_the_order_of_rows_and_the_last_bits_of_sums_change_no_figure() -> None:
    random = np.random.default_rng(5)
    blocks, regions = np.arange(7), ["us", "uk", "de"]
    sums = pd.DataFrame(
        [(b, r, "joint", "ndcg") for b in blocks for r in regions],
        columns=["block", "region", "ranker", "metric"],
    )
    sums = sums.assign(
        total=random.random(len(sums)) * 100, denominator=random.random(len(sums)) * 100
    )
    sums = sums.assign(queries=3, lists=3, short=0, masked=0, no_positive=0)
    other = sums.assign(total=np.nextafter(sums["total"], 1e9)).sample(frac=1, random_state=1)
    assert (other["total"].sort_index() != sums["total"]).all()
    one, two = (BlockSums(frame, 7) for frame in (sums, other))
    for region in (ALL, *regions):
        a, b = (found.get(region, "joint", "ndcg") for found in (one, two))
        assert a is not None and b is not None
        assert a.totals.tolist() == b.totals.tolist()
        assert a.denominators.tolist() == b.denominators.tolist()
