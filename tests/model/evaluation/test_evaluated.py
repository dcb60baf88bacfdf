"""Rows of the metrics table from sums."""

import pandas as pd
import pytest

from model.evaluation.block_sums import BlockSums
from model.evaluation.bootstrap import BlockBootstrap
from model.evaluation.evaluated import build_ranking_rows, build_task_rows, count_left_out

BOOTSTRAP = BlockBootstrap(20, 100, 0.95, 1)


def _sums() -> BlockSums:
    rows = [
        (block, region, ranker, "ndcg", total, 2)
        for block in range(4)
        for region in ("us", "uk")
        for ranker, total in (("engagement_only", 1.0 + block / 10), ("joint", 1.4 + block / 10))
    ]
    frame = pd.DataFrame(rows, columns=["block", "region", "ranker", "metric", "total", "queries"])
    frame["denominator"] = frame["queries"]
    return BlockSums(frame.assign(lists=3, short=1, masked=0, no_positive=2), 20)


def test_values_and_paired_differences() -> None:
    rows = {
        (r["region"], r["ranker"]): r
        for r in build_ranking_rows(_sums(), BOOTSTRAP, "engagement_only")
    }
    assert len(rows) == 6
    joint = rows["all", "joint"]
    assert joint["value"] == pytest.approx(1.55 / 2)
    assert joint["queries"] == 16
    assert joint["reference"] == "engagement_only"
    for end in ("difference", "difference_low", "difference_high"):
        assert joint[end] == pytest.approx(0.2)
    assert joint["low"] < joint["value"] < joint["high"]
    assert rows["us", "engagement_only"]["reference"] is None
    assert "difference" not in rows["us", "engagement_only"]


def test_lists_left_out_are_counted_once_for_all_rankers() -> None:
    assert count_left_out(_sums()) == {
        "ndcg": {"queries": 16, "lists": 24, "short": 8, "masked": 0, "no_positive": 16}
    }


def test_task_rows_by_region_and_overall() -> None:
    columns = ["block", "region", "task", "bin", "rows", "positives", "expected", "loss"]
    rows = [
        (b, r, "click", i, 10, 2 * i, 2.0 * i, 4.0) for b in range(3) for r in "ab" for i in (1, 2)
    ]
    histogram = pd.DataFrame(rows, columns=columns).assign(
        first_rows=0, first_positives=0.0, first_expected=0.0
    )
    queries = pd.DataFrame({"region": ["a", "b"], "click": [5, 6], "cart": 0, "purchase": 0})
    got = {(r["region"], r["metric"]): r for r in build_task_rows(histogram, queries, BOOTSTRAP, 5)}
    assert got["all", "log_loss_click_at_position"]["value"] == pytest.approx(0.4)
    assert got["all", "auc_click"]["queries"] == 11
    assert got["a", "calibration_ratio_click_at_position"]["value"] == pytest.approx(1.0)
    assert got["b", "calibration_error_click_at_position"]["value"] == pytest.approx(0.0)
    assert not any("position_1" in metric for _, metric in got)
    assert build_task_rows(histogram[:0], queries[:0], BOOTSTRAP, 5) == []
