"""What came of an audit of planted errors: shares, steps, intervals, tables."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table as RichTable
from scipy import stats

Flags = NDArray[np.bool_]
Cell = tuple[int, int, int, str, str, int]
Counts = Mapping[Cell, int]
"""(true grade, planted grade, audited grade, path, flagged_by, expected clicks from) -> pairs."""


def compute_figures(counts: Counts) -> dict[str, float]:
    """Compute what came of one seed: shares (fractions); NaN where there is nothing to take a share
    of."""

    def sum_pairs(*conditions: Flags) -> float:
        keep = np.ones(len(cells), bool)
        for condition in conditions:
            keep &= condition
        return float(sizes[keep].sum())

    cells = list(counts)
    sizes = np.array([counts[cell] for cell in cells], float)
    true, given, audited = (np.array([cell[i] for cell in cells]) for i in range(3))
    flag = np.array([cell[4] for cell in cells])
    expected = np.array([cell[5] for cell in cells])
    tested = expected > 0
    wrong, flagged, changed = true != given, flag != "none", audited != given
    by_engagement = np.isin(flag, ("engagement", "both"))
    by_model = np.isin(flag, ("model", "both"))
    return {
        "graded pairs": sum_pairs(),
        "wrong": sum_pairs(wrong),
        "tested share": _divide(sum_pairs(tested), sum_pairs()),
        "precision of flags": _divide(sum_pairs(flagged, wrong), sum_pairs(flagged)),
        "recall of flags": _divide(sum_pairs(flagged, wrong), sum_pairs(wrong)),
        "precision, by engagement": _divide(
            sum_pairs(by_engagement, wrong), sum_pairs(by_engagement)
        ),
        "recall, by engagement, of tested": _divide(
            sum_pairs(by_engagement, wrong), sum_pairs(wrong, tested)
        ),
        "the same, from 10 expected clicks": _divide(
            sum_pairs(by_engagement, wrong, expected >= 10), sum_pairs(wrong, expected >= 10)
        ),
        "the same, from 30 expected clicks": _divide(
            sum_pairs(by_engagement, wrong, expected >= 30), sum_pairs(wrong, expected >= 30)
        ),
        "precision, by model": _divide(sum_pairs(by_model, wrong), sum_pairs(by_model)),
        "precision of changes": _divide(sum_pairs(changed, wrong), sum_pairs(changed)),
        "wrong and mended": _divide(sum_pairs(wrong, audited == true), sum_pairs(wrong)),
        "right and spoilt": _divide(sum_pairs(~wrong, changed), sum_pairs(~wrong)),
        "accuracy before": _divide(sum_pairs(~wrong), sum_pairs()),
        "accuracy after": _divide(sum_pairs(audited == true), sum_pairs()),
    }


def compute_path_figures(counts: Counts) -> dict[str, dict[str, float]]:
    """Count by path: flagged pairs, those that were wrong, and grades mended less grades spoilt."""
    by_path: dict[str, dict[str, float]] = {}
    for (true, given, audited, path, flag, _), size in counts.items():
        if flag == "none":
            continue
        row = by_path.setdefault(path, {"flagged": 0.0, "wrong": 0.0, "net mended": 0.0})
        row["flagged"] += size
        row["wrong"] += size * (true != given)
        row["net mended"] += size * (int(audited == true) - int(given == true))
    return by_path


def estimate_mean(values: Sequence[float]) -> tuple[float, float]:
    """Estimate the mean of the seeds that have a value, and half the width of its 95 % t
    interval."""
    finite = np.asarray([value for value in values if not np.isnan(value)], float)
    if len(finite) == 0:
        return float("nan"), float("nan")
    if len(finite) < 2:
        return float(finite.mean()), float("nan")
    spread = finite.std(ddof=1) / np.sqrt(len(finite))
    return float(finite.mean()), float(stats.t.ppf(0.975, len(finite) - 1) * spread)


def print_market(name: str, by_arm: Mapping[str, Sequence[Counts]]) -> None:
    """Print the figures of each arm beside each other, and the steps of each arm."""
    console = Console(width=140)
    seeds = {arm: [compute_figures(counts) for counts in runs] for arm, runs in by_arm.items()}
    count = len(next(iter(seeds.values())))
    table = RichTable("figure", *by_arm, title=f"{name}, {count} seeds")
    for figure in next(iter(seeds.values()))[0]:
        cells = (_format_mean([run[figure] for run in runs]) for runs in seeds.values())
        table.add_row(figure, *cells)
    console.print(table)
    for arm, runs in by_arm.items():
        steps = [compute_path_figures(counts) for counts in runs]
        table = RichTable("path", "flagged", "wrong", "net mended", title=f"{name}: {arm}")
        for path in sorted({path for step in steps for path in step}):
            rows = [step.get(path, {}) for step in steps]
            columns = ("flagged", "wrong", "net mended")
            table.add_row(path, *(_format_mean([r.get(c, 0.0) for r in rows]) for c in columns))
        console.print(table)


def _format_mean(values: Sequence[float]) -> str:
    mean, half = estimate_mean(values)
    digits = 0 if mean > 1.5 or mean < -1.5 else 4
    return f"{mean:,.{digits}f} +- {half:,.{digits}f}"


def _divide(part: float, total: float) -> float:
    return part / total if total else float("nan")
