"""AUC, log loss and calibration of one task from block histograms, with intervals."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from model.evaluation.bootstrap import BlockBootstrap, Estimate
from model.evaluation.metrics import (
    assign_equal_mass_groups,
    compute_calibration_error,
    compute_histogram_auc,
    divide_sums,
)
from model.evaluation.steady import steady_sums

_SUMS = (
    "rows",
    "positives",
    "expected",
    "loss",
    "first_rows",
    "first_positives",
    "first_expected",
)


def estimate_task_metrics(
    histogram: pd.DataFrame, task: str, bootstrap: BlockBootstrap, groups: int
) -> dict[str, Estimate]:
    """Estimate the figures of one task over the rows of one region or of all.

    `auc_T`: prediction for position 1 against the label, over all rows shown; the position's own
    effect on the label is noise to it. `log_loss_T_at_position` and
    `calibration_error_T_at_position`: prediction x examination of the position against the label.
    `calibration_ratio_T_at_position`: sum of those over the sum of labels. The two of
    `..._position_1` take rows shown at position 1 alone and need no examination.

    Args:
        histogram: rows of `features.evaluation.reliability.prediction_histogram`.
        task: click, cart or purchase.
        bootstrap: draws of the blocks.
        groups: groups of equal mass of the calibration error.
    """
    part = histogram[histogram["task"] == task]
    if part.empty:
        return {}
    n, pos, exp, loss, n1, pos1, exp1 = _build_arrays(part, bootstrap.blocks)
    group = assign_equal_mass_groups(n.sum(axis=0), groups)
    group_1 = assign_equal_mass_groups(n1.sum(axis=0), groups)
    support = n.sum(axis=1)
    support_1 = n1.sum(axis=1)
    negatives = n - pos

    def compute_error(rows: NDArray[Any], e: NDArray[Any], y: NDArray[Any]) -> NDArray[np.float64]:
        return compute_calibration_error(rows, e, y, group)

    def compute_error_1(
        rows: NDArray[Any], e: NDArray[Any], y: NDArray[Any]
    ) -> NDArray[np.float64]:
        return compute_calibration_error(rows, e, y, group_1)

    flat = [a.sum(axis=1) for a in (loss, n, exp, pos, exp1, pos1)]
    figures = {
        f"auc_{task}": bootstrap.estimate(compute_histogram_auc, support, pos, negatives),
        f"log_loss_{task}_at_position": bootstrap.estimate(divide_sums, support, flat[0], flat[1]),
        f"calibration_error_{task}_at_position": bootstrap.estimate(
            compute_error, support, n, exp, pos, centred=True
        ),
        f"calibration_ratio_{task}_at_position": bootstrap.estimate(
            divide_sums, support, flat[2], flat[3]
        ),
        f"calibration_error_{task}_position_1": bootstrap.estimate(
            compute_error_1, support_1, n1, exp1, pos1, centred=True
        ),
        f"calibration_ratio_{task}_position_1": bootstrap.estimate(
            divide_sums, support_1, flat[4], flat[5]
        ),
    }
    return {name: f for name, f in figures.items() if np.isfinite(f.value)}


def estimate_calibration_gap(
    candidate: pd.DataFrame,
    reference: pd.DataFrame,
    task: str,
    bootstrap: BlockBootstrap,
    groups: int,
) -> Estimate | None:
    """Estimate one model's calibration error less another's over the same rows, at their positions.

    Each model's rows are grouped by its own predictions; the draws of blocks are the same. None
    where the task has no row.

    Args:
        candidate, reference: histograms, as `estimate_task_metrics` takes them.
        task: click, cart or purchase.
        bootstrap: draws of the blocks.
        groups: groups of equal mass.
    """
    ours, theirs = (h[h["task"] == task] for h in (candidate, reference))
    if ours.empty or theirs.empty:
        return None
    (n, pos, exp), (n_2, pos_2, exp_2) = (
        _build_arrays(part, bootstrap.blocks)[:3] for part in (ours, theirs)
    )
    group, group_2 = (assign_equal_mass_groups(rows.sum(axis=0), groups) for rows in (n, n_2))

    def compute_gap(*sums: NDArray[Any]) -> NDArray[np.float64]:
        rows, expected, observed, rows_2, expected_2, observed_2 = sums
        error = compute_calibration_error(rows, expected, observed, group)
        return np.asarray(
            error - compute_calibration_error(rows_2, expected_2, observed_2, group_2)
        )

    return bootstrap.estimate(compute_gap, n.sum(axis=1), n, exp, pos, n_2, exp_2, pos_2)


def _build_arrays(part: pd.DataFrame, blocks: int) -> list[NDArray[np.float64]]:
    """Build the features [blocks, bins] of each sum."""
    part = steady_sums(part, ("region", "block", "bin"), _SUMS)
    codes, _ = pd.factorize(part["bin"], sort=True)
    bins = int(codes.max()) + 1
    flat = part["block"].to_numpy(np.int64) * bins + codes
    size = blocks * bins
    sums = (np.bincount(flat, part[s].to_numpy(np.float64), minlength=size) for s in _SUMS)
    return [np.asarray(s, np.float64).reshape(blocks, bins) for s in sums]
