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


def figures(counts: Counts) -> dict[str, float]:
    """What came of one seed: shares (fractions); NaN where there is nothing to take a share of."""

    def total(*conditions: Flags) -> float:
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
        "graded pairs": total(),
        "wrong": total(wrong),
        "tested share": _share(total(tested), total()),
        "precision of flags": _share(total(flagged, wrong), total(flagged)),
        "recall of flags": _share(total(flagged, wrong), total(wrong)),
        "precision, by engagement": _share(total(by_engagement, wrong), total(by_engagement)),
        "recall, by engagement, of tested": _share(
            total(by_engagement, wrong), total(wrong, tested)
        ),
        "the same, from 10 expected clicks": _share(
            total(by_engagement, wrong, expected >= 10), total(wrong, expected >= 10)
        ),
        "the same, from 30 expected clicks": _share(
            total(by_engagement, wrong, expected >= 30), total(wrong, expected >= 30)
        ),
        "precision, by model": _share(total(by_model, wrong), total(by_model)),
        "precision of changes": _share(total(changed, wrong), total(changed)),
        "wrong and mended": _share(total(wrong, audited == true), total(wrong)),
        "right and spoilt": _share(total(~wrong, changed), total(~wrong)),
        "accuracy before": _share(total(~wrong), total()),
        "accuracy after": _share(total(audited == true), total()),
    }


def path_figures(counts: Counts) -> dict[str, dict[str, float]]:
    """By path: flagged pairs, those that were wrong, and grades mended less grades spoilt."""
    found: dict[str, dict[str, float]] = {}
    for (true, given, audited, path, flag, _), size in counts.items():
        if flag == "none":
            continue
        row = found.setdefault(path, {"flagged": 0.0, "wrong": 0.0, "net mended": 0.0})
        row["flagged"] += size
        row["wrong"] += size * (true != given)
        row["net mended"] += size * (int(audited == true) - int(given == true))
    return found


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Mean of the seeds that have a value, and half the width of its 95 % t interval."""
    known = np.asarray([value for value in values if not np.isnan(value)], float)
    if len(known) == 0:
        return float("nan"), float("nan")
    if len(known) < 2:
        return float(known.mean()), float("nan")
    spread = known.std(ddof=1) / np.sqrt(len(known))
    return float(known.mean()), float(stats.t.ppf(0.975, len(known) - 1) * spread)


def print_market(name: str, by_arm: Mapping[str, Sequence[Counts]]) -> None:
    """Print the figures of each arm beside each other, and the steps of each arm."""
    console = Console(width=140)
    seeds = {arm: [figures(counts) for counts in runs] for arm, runs in by_arm.items()}
    count = len(next(iter(seeds.values())))
    table = RichTable("figure", *by_arm, title=f"{name}, {count} seeds")
    for figure in next(iter(seeds.values()))[0]:
        cells = (_shown([run[figure] for run in runs]) for runs in seeds.values())
        table.add_row(figure, *cells)
    console.print(table)
    for arm, runs in by_arm.items():
        steps = [path_figures(counts) for counts in runs]
        table = RichTable("path", "flagged", "wrong", "net mended", title=f"{name}: {arm}")
        for path in sorted({path for step in steps for path in step}):
            rows = [step.get(path, {}) for step in steps]
            columns = ("flagged", "wrong", "net mended")
            table.add_row(path, *(_shown([r.get(c, 0.0) for r in rows]) for c in columns))
        console.print(table)


def _shown(values: Sequence[float]) -> str:
    mean, half = interval(values)
    digits = 0 if mean > 1.5 or mean < -1.5 else 4
    return f"{mean:,.{digits}f} +- {half:,.{digits}f}"


def _share(part: float, whole: float) -> float:
    return part / whole if whole else float("nan")
