"""Plots of an experiment, PNG and SVG: differences of the headline figures, relevance curves."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from conf.sections.experiment import ExperimentConf
from jobs.experiments.results import TEST, Found, Pool, with_pools
from model.experiments.figures import ALL
from model.experiments.intervals import Compared
from model.experiments.verdict import lower_is_better

_INCHES = 4.2
_FORMATS = ("png", "svg")


def draw_plots(folder: Path, found: Sequence[Found]) -> None:
    """Headline figures of a data set and of the mean over its draws; curves where it has some."""
    folder.mkdir(parents=True, exist_ok=True)
    for one in with_pools(found):
        if one.compared:
            _save(_headline(one), folder / f"{one.name}-headline")
    for one in found:
        if one.curves:
            _save(_curves(one), folder / f"{one.name}-curve")


def _headline(found: Found | Pool) -> Canvas:
    """Paired differences from the reference, one panel a figure."""
    conf = found.conf
    there = {one.arm for one in found.compared}
    arms = [arm for arm in conf.references if arm in there] or [conf.reference]
    canvas = Canvas(figsize=(_INCHES * len(conf.headline), 1.2 + 0.32 * len(arms)))
    axes = canvas.subplots(1, len(conf.headline), sharey=True, squeeze=False)[0]
    for axis, metric in zip(axes, conf.headline, strict=True):
        _intervals(axis, [found.of(arm, metric, ALL) for arm in arms])
        axis.set_yticks(range(len(arms)), arms)
        axis.set_title(f"{metric}{' (lower is better)' if lower_is_better(metric) else ''}")
    axes[0].invert_yaxis()
    canvas.suptitle(f"{_title(found)}: difference from {_others(conf, arms)}", y=1.02)
    return canvas


def _intervals(axis: Axes, rows: Sequence[Compared | None]) -> None:
    axis.axvline(0.0, color="0.7", linewidth=0.8, zorder=0)
    for place, row in enumerate(rows):
        gap = row.difference if row is not None else None
        if gap is None:
            continue
        if gap.low is not None and gap.high is not None:
            axis.plot([gap.low, gap.high], [place, place], color="tab:blue", linewidth=1.5)
        axis.plot([gap.value], [place], "o", color="tab:blue", markersize=4)


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


def _others(conf: ExperimentConf, arms: Sequence[str]) -> str:
    """The reference, or that an arm may have one of its own."""
    own = any(conf.arms[arm].against for arm in arms)
    return f"{conf.reference}{', or from the arm of its own in the report' if own else ''}"


def _title(found: Found | Pool) -> str:
    return f"{found.name}{' (simulated)' if found.simulated else ''}"


def _save(canvas: Canvas, path: Path) -> None:
    """Both formats, equal bytes for equal figures."""
    with mpl.rc_context({"svg.hashsalt": "counterpoise", "svg.fonttype": "none"}):
        for ending in _FORMATS:
            metadata = {"Date": None} if ending == "svg" else {}
            canvas.savefig(f"{path}.{ending}", bbox_inches="tight", dpi=120, metadata=metadata)
