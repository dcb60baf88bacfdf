"""A warning where the ranker loses to a baseline, and only there."""

import numpy as np
import pandas as pd
import pytest

from model.baselines.verdict import compare_rankers, format_warning, select_warnings
from model.evaluation.block_sums import BlockSums
from model.evaluation.bootstrap import BlockBootstrap

BLOCKS = 20
BOOTSTRAP = BlockBootstrap(BLOCKS, 100, 0.95, 7)


def _sums(means: dict[tuple[str, str], float]) -> BlockSums:
    """Ten queries a block; all rankers share the noise of their queries."""
    noise = np.random.default_rng(1).normal(0, 0.2, BLOCKS)
    rows = [
        {
            "region": "us",
            "ranker": ranker,
            "metric": metric,
            "block": block,
            "total": 10 * (mean + noise[block]),
            "queries": 10,
            "denominator": 10,
        }
        | dict.fromkeys(("lists", "short", "masked", "no_positive"), 1)
        for (ranker, metric), mean in means.items()
        for block in range(BLOCKS)
    ]
    return BlockSums(pd.DataFrame(rows), BLOCKS)


def _compared(ours: float, theirs: float, relevance: float, cosine: float) -> BlockSums:
    return _sums(
        {
            ("engagement_only", "e"): ours,
            ("popularity", "e"): theirs - 0.1,
            ("lightgbm", "e"): theirs,
            ("relevance_only", "r"): relevance,
            ("cosine", "r"): cosine,
        }
    )


def test_a_clear_loss_to_the_best_baseline_is_a_reason() -> None:
    sums = _compared(0.4, 0.45, 0.9, 0.8)
    found = compare_rankers(sums, BOOTSTRAP, ["popularity", "lightgbm"], "e", "r")
    (lost,) = select_warnings(found)
    assert (lost.check, lost.ranker, lost.baseline) == (
        "engagement_baseline",
        "engagement_only",
        "lightgbm",
    )
    assert lost.difference == pytest.approx(-0.05) and lost.below and lost.queries == 200
    assert lost.to_json()["below"] is True
    line = format_warning(lost, simulated=True)
    assert "below the baseline lightgbm on e, simulated: -0.0500" in line
    assert line.endswith("(clear of 0)")


def test_a_ranker_ahead_is_warned_of_nothing() -> None:
    found = compare_rankers(
        _compared(0.5, 0.45, 0.9, 0.8), BOOTSTRAP, ["popularity", "lightgbm"], "e", "r"
    )
    assert len(found) == 2 and select_warnings(found) == []


def test_relevance_level_with_its_own_input_is_a_reason() -> None:
    found = compare_rankers(_compared(0.5, 0.45, 0.8, 0.8), BOOTSTRAP, ["lightgbm"], "e", "r")
    (level,) = select_warnings(found)
    assert (level.check, level.below) == ("relevance_input", False)
    assert "level with the baseline cosine" in format_warning(level, simulated=False)


def test_what_was_not_measured_is_not_compared() -> None:
    sums = _sums({("engagement_only", "e"): 0.4, ("relevance_only", "r"): 0.5})
    assert compare_rankers(sums, BOOTSTRAP, ["lightgbm"], "e", "r") == []
