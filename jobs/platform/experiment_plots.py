"""Plots of an experiment, PNG and SVG: headline figures by arm, and the relevance curves."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from jobs.platform.experiment_results import TEST, Found
from model.experiments.figures import ALL
from model.experiments.intervals import Compared

_INCHES = 4.2
_FORMATS = ("png", "svg")


def draw_plots(folder: Path, found: Sequence[Found]) -> None:
    """One plot of the headline figures a data set, and one of its curves where it has some."""
    folder.mkdir(parents=True, exist_ok=True)
    for one in found:
        if one.compared:
            _save(_headline(one), folder / f"{one.study.name}-headline")
        if one.curves:
            _save(_curves(one), folder / f"{one.study.name}-curve")


def _headline(found: Found) -> Canvas:
    metrics = found.study.experiment.conf.headline
    canvas = Canvas(figsize=(_INCHES * len(metrics), 1.2 + 0.32 * len(found.figures)))
    axes = canvas.subplots(1, len(metrics), sharey=True, squeeze=False)[0]
    for axis, metric in zip(axes, metrics, strict=True):
        rows = [c for arm in found.figures if (c := found.of(arm, metric, ALL)) is not None]
        _intervals(axis, rows, found.study.experiment.conf.reference)
        axis.set_title(metric)
    axes[0].set_ylabel(_title(found))
    return canvas


def _intervals(axis: Axes, rows: Sequence[Compared], reference: str) -> None:
    places = np.arange(len(rows))[::-1]
    for place, row in zip(places, rows, strict=True):
        e = row.estimate
        colour = "black" if row.arm == reference else "tab:blue"
        if e.low is not None and e.high is not None:
            axis.plot([e.low, e.high], [place, place], color=colour, linewidth=1.5)
        axis.plot([e.value], [place], "o", color=colour, markersize=4)
        if row.arm == reference:
            axis.axvline(e.value, color="0.8", linewidth=0.8, zorder=0)
    axis.set_yticks(places, [row.arm for row in rows])


def _curves(found: Found) -> Canvas:
    canvas = Canvas(figsize=(1.6 * _INCHES, 1.2 * _INCHES))
    axis = canvas.subplots()
    for arm, by_split in found.curves.items():
        by_seed = np.asarray(
            [[(p.engagement, p.relevance) for p in points] for points in by_split[TEST].values()]
        )
        mean = by_seed.mean(axis=0)
        axis.plot(mean[:, 0], mean[:, 1], marker=".", linewidth=1, label=arm)
    axis.set_xlabel("engagement NDCG")
    axis.set_ylabel("relevance NDCG")
    axis.set_title(f"{_title(found)}: test, mean over seeds, one point a relevance weight")
    axis.legend(fontsize="x-small")
    return canvas


def _title(found: Found) -> str:
    return f"{found.study.name}{' (simulated)' if found.study.data.simulated else ''}"


def _save(canvas: Canvas, path: Path) -> None:
    """Both formats, equal bytes for equal figures."""
    with mpl.rc_context({"svg.hashsalt": "counterpoise", "svg.fonttype": "none"}):
        for ending in _FORMATS:
            metadata = {"Date": None} if ending == "svg" else {}
            canvas.savefig(f"{path}.{ending}", bbox_inches="tight", dpi=120, metadata=metadata)
