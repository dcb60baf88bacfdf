"""Plots of an experiment, PNG and SVG: differences of the headline figures, relevance curves."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from conf.sections.experiment import ExperimentConf
from jobs.experiments.results import (
    TEST,
    PooledResults,
    StudyResults,
    add_pools,
    find_figure,
    format_title,
)
from model.experiments.intervals import ComparedFigure
from model.experiments.verdict import lower_is_better

_INCHES = 4.2
"""Width of a panel: two headline figures fit beside each other on a page."""
_FORMATS = ("png", "svg")


def draw_plots(folder: Path, results: Sequence[StudyResults]) -> None:
    """Draw the headline figures of each data set and of the mean over its draws; and its curves,
    where it has some."""
    folder.mkdir(parents=True, exist_ok=True)
    for one in add_pools(results):
        if one.compared:
            _save_plot(_plot_headline(one), folder / f"{one.name}-headline")
    for one in results:
        if one.curves:
            _save_plot(_plot_curves(one), folder / f"{one.name}-curve")


def _plot_headline(results: StudyResults | PooledResults) -> Canvas:
    """Plot paired differences from the reference, one panel per figure."""
    conf = results.conf
    present = {one.arm for one in results.compared}
    arms = [arm for arm in conf.references if arm in present] or [conf.reference]
    canvas = Canvas(figsize=(_INCHES * len(conf.headline), 1.2 + 0.32 * len(arms)))
    axes = canvas.subplots(1, len(conf.headline), sharey=True, squeeze=False)[0]
    for axis, metric in zip(axes, conf.headline, strict=True):
        _plot_intervals(axis, [find_figure(results, arm, metric) for arm in arms])
        axis.set_yticks(range(len(arms)), arms)
        axis.set_title(f"{metric}{' (lower is better)' if lower_is_better(metric) else ''}")
    axes[0].invert_yaxis()
    canvas.suptitle(
        f"{format_title(results)}: difference from {_describe_references(conf, arms)}", y=1.02
    )
    return canvas


def _plot_intervals(axis: Axes, rows: Sequence[ComparedFigure | None]) -> None:
    axis.axvline(0.0, color="0.7", linewidth=0.8, zorder=0)
    for place, row in enumerate(rows):
        gap = row.difference if row is not None else None
        if gap is None:
            continue
        if gap.low is not None and gap.high is not None:
            axis.plot([gap.low, gap.high], [place, place], color="tab:blue", linewidth=1.5)
        axis.plot([gap.value], [place], "o", color="tab:blue", markersize=4)


def _plot_curves(results: StudyResults) -> Canvas:
    canvas = Canvas(figsize=(1.6 * _INCHES, 1.2 * _INCHES))
    axis = canvas.subplots()
    for arm, by_split in results.curves.items():
        by_seed = np.asarray(
            [[(p.engagement, p.relevance) for p in points] for points in by_split[TEST].values()]
        )
        mean = by_seed.mean(axis=0)
        axis.plot(mean[:, 0], mean[:, 1], marker=".", linewidth=1, label=arm)
    axis.set_xlabel("engagement NDCG")
    axis.set_ylabel("relevance NDCG")
    axis.set_title(
        f"{format_title(results)}: test, mean over seeds, one point per relevance weight"
    )
    axis.legend(fontsize="x-small")
    return canvas


def _describe_references(conf: ExperimentConf, arms: Sequence[str]) -> str:
    """Name the reference, and say that an arm may be held against another arm."""
    differ = any(conf.arms[arm].against for arm in arms)
    return f"{conf.reference}{', or from the arm of its own in the report' if differ else ''}"


def _save_plot(canvas: Canvas, path: Path) -> None:
    """Save both formats, with equal bytes for equal figures."""
    with mpl.rc_context({"svg.hashsalt": "counterpoise", "svg.fonttype": "none"}):
        for ending in _FORMATS:
            metadata = {"Date": None} if ending == "svg" else {}
            canvas.savefig(f"{path}.{ending}", bbox_inches="tight", dpi=120, metadata=metadata)
