"""The tables of an experiment in Markdown: what was asked, what came out, arm by arm."""

from collections.abc import Iterator, Sequence

import numpy as np

from jobs.platform.experiment_results import TEST, Found
from jobs.platform.experiment_study import Arm
from jobs.platform.markdown import table
from model.bootstrap import Estimate
from model.experiments.figures import ALL
from model.experiments.verdict import lower_is_better, verdict

PICKED = "value.w_relevance"
_MARKS = {"better": "+", "worse": "-", "no difference seen": "o", "cannot tell": "?"}


def report_text(found: Sequence[Found]) -> str:
    """The whole report: one section a data set."""
    conf = found[0].study.experiment.conf
    head = (
        f"# Experiment {conf.name}\n\n{conf.asks}\n\nThe papers: {conf.paper}\n\n"
        f"Reference: `{conf.reference}`. Seeds {', '.join(map(str, conf.seeds))}. Intervals: "
        f"{conf.bootstrap.confidence:.0%}, bootstrap over units (queries or sessions) and seeds, "
        f"{conf.bootstrap.replicates:,} replicates; differences are paired by unit and seed. No "
        "interval is widened for the number of comparisons.\n"
    )
    return "\n".join([head, *map(section, found)])


def section(found: Found) -> str:
    """The arms of one data set: headline figures, differences, weights, and what failed."""
    study = found.study
    units = max((c.units for c in found.compared), default=0)
    rows = ", ".join(f"{study.snapshot.rows(s):,} rows {s}" for s in sorted(study.snapshot.splits))
    lines = [
        f"## {_title(found)}\n",
        f"Snapshot {study.snapshot.version}: {rows}; {units:,} test units.\n",
        table(["arm", "parameters", "settings chosen", *_headings(found)], _arm_lines(found)),
        f"Difference from `{study.experiment.conf.reference}`:\n",
        table(["arm", *_headings(found)], _difference_lines(found)),
        *_weights(found),
        *_curves(found),
        *_failed(found),
    ]
    return "\n".join(lines)


def regions_text(found: Sequence[Found]) -> str:
    """Differences from the reference by region, a table a headline figure."""
    lines = [
        "Difference from the reference by region; + better, - worse, o no difference seen, each by "
        "a 95 % interval of its own.\n"
    ]
    for one in found:
        for metric in one.study.experiment.conf.headline:
            told = [c for c in one.compared if c.metric == metric and c.difference is not None]
            regions = list(dict.fromkeys(c.region for c in told))
            if len(regions) > 1:
                arms = list(dict.fromkeys(c.arm for c in told))
                cells = {(c.region, c.arm): _marked(metric, c.difference) for c in told}
                rows = [[r, *(cells.get((r, a), "-") for a in arms)] for r in regions]
                lines += [f"## {_title(one)}: {metric}\n", table(["region", *arms], rows)]
    return "\n".join(lines)


def figure(estimate: Estimate, sign: str = "") -> str:
    """`0.5123 [0.4980, 0.5260]`; a dash for no figure, no brackets for no interval."""
    if not np.isfinite(estimate.value):
        return "-"
    text = f"{estimate.value:{sign}.4f}"
    if estimate.low is None or estimate.high is None:
        return text
    return f"{text} [{estimate.low:{sign}.4f}, {estimate.high:{sign}.4f}]"


def _title(found: Found) -> str:
    return f"{found.study.name}{' (simulated)' if found.study.data.simulated else ''}"


def _headings(found: Found) -> list[str]:
    headline = found.study.experiment.conf.headline
    return [f"{m} (lower is better)" if lower_is_better(m) else m for m in headline]


def _arm_lines(found: Found) -> list[list[object]]:
    return [
        [
            arm.name,
            _parameters(arm),
            ", ".join(f"{k} {v}" for k, v in arm.chosen.items()) or "as conf has them",
            *(_cell(found, arm.name, m) for m in found.study.experiment.conf.headline),
        ]
        for arm in found.arms
        if arm.failure is None
    ]


def _difference_lines(found: Found) -> list[list[object]]:
    conf = found.study.experiment.conf
    return [
        [arm.name, *(_difference(found, arm.name, m) for m in conf.headline)]
        for arm in found.arms
        if arm.failure is None and arm.name != conf.reference
    ]


def _parameters(arm: Arm) -> str:
    counts = {training.state["parameters"] for training in arm.trainings.values()}
    return ", ".join(f"{n:,}" for n in sorted(counts))


def _cell(found: Found, arm: str, metric: str) -> str:
    one = found.of(arm, metric, ALL)
    return "-" if one is None else figure(one.estimate)


def _difference(found: Found, arm: str, metric: str) -> str:
    one = found.of(arm, metric, ALL)
    if one is None or one.difference is None:
        return "-"
    return f"{figure(one.difference, '+')} {verdict(metric, one.difference)}"


def _marked(metric: str, difference: Estimate | None) -> str:
    if difference is None or not np.isfinite(difference.value):
        return "-"
    return f"{difference.value:+.4f} {_MARKS[verdict(metric, difference)]}"


def _weights(found: Found) -> list[str]:
    """The relevance weight that each seed picked, by arm and region."""
    by_arm: dict[tuple[str, str], list[float]] = {}
    for arm, by_seed in found.figures.items():
        for f in (f for figures in by_seed.values() for f in figures if f.metric == PICKED):
            by_arm.setdefault((arm, f.region), []).append(f.value)
    rows = [
        [arm, region, ", ".join(f"{w:g}" for w in weights)]
        for (arm, region), weights in by_arm.items()
    ]
    headers = ["arm", "region", "relevance weight by seed"]
    return ["Picked on validation:\n", table(headers, rows)] if rows else []


def _curves(found: Found) -> list[str]:
    """Both NDCGs on test over the relevance weight, of the arms whose weight is picked, once."""
    arms = found.study.experiment.conf.arms
    told: list[str] = []
    seen: set[tuple[object, ...]] = set()
    for arm in found.curves:
        rows = list(_curve_rows(found, arm))
        ranking = arms[arm].ranking
        if (
            ranking is not None
            and ranking.relevance == "picked"
            and tuple(map(tuple, rows)) not in seen
        ):
            seen.add(tuple(map(tuple, rows)))
            told += [
                f"`{arm}` over the relevance weight, test, mean over seeds:\n",
                table(["w_relevance", "relevance NDCG", "engagement NDCG"], rows),
            ]
    return told


def _curve_rows(found: Found, arm: str) -> Iterator[list[str]]:
    for points in zip(*found.curves[arm][TEST].values(), strict=True):
        relevance = np.mean([p.relevance for p in points])
        engagement = np.mean([p.engagement for p in points])
        yield [f"{points[0].w_relevance:g}", f"{relevance:.4f}", f"{engagement:.4f}"]


def _failed(found: Found) -> list[str]:
    lines = [f"- `{arm.name}`: {arm.failure}" for arm in found.arms if arm.failure]
    return ["Failed arms:\n", *lines, ""] if lines else []
