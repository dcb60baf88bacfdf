"""The tables of an experiment in Markdown: what was asked, what came out, arm by arm.

A data set that was drawn several times has a section over its draws, before those of each draw.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from jobs.experiments.results import TEST, Found, Pool, pools, with_pools
from jobs.experiments.rule import rule_tables
from jobs.experiments.study import Arm
from jobs.reports.markdown import table
from model.evaluation.bootstrap import Estimate
from model.experiments.figures import ALL
from model.experiments.intervals import POWER
from model.experiments.verdict import lower_is_better, verdict

PICKED = "value.w_relevance"
_DRAWN = (
    " Over draws of a data set: Student's t over the draws' figures, each draw with its own units "
    "and trainings."
)
_MARKS = {"better": "+", "worse": "-", "no difference seen": "o", "cannot tell": "?"}


def report_text(found: Sequence[Found]) -> str:
    """The whole report: one section a data set, and one over the draws of a data set."""
    conf = found[0].conf
    head = (
        f"# Experiment {conf.name}\n\n{conf.asks}\n\nThe papers: {conf.paper}\n\n"
        f"Reference: `{conf.reference}`. Intervals: {conf.bootstrap.confidence:.0%}, bootstrap "
        f"over units (queries or sessions) and seeds, {conf.bootstrap.replicates:,} replicates; "
        f"differences are paired by unit and seed.{_DRAWN if conf.pooled else ''} Smallest "
        f"detectable: the true difference whose interval would leave out 0 in {POWER:.0%} of runs. "
        "No interval is widened for the number of comparisons.\n"
    )
    return "\n".join([head, *map(pool_section, pools(found)), *map(section, found)])


def pool_section(pool: Pool) -> str:
    """The arms over the draws of a data set: figures, differences, what would have been seen."""
    draws = ", ".join(f"`{one.name}`" for one in pool.draws)
    lines = [
        f"## {_title(pool)}: mean over {len(pool.draws)} draws\n",
        f"Each drawn, trained and judged by itself: {draws}.\n",
        table(["arm", *_headings(pool)], _figure_lines(pool)),
        *_differences(pool),
        *rule_tables(pool),
    ]
    return "\n".join(lines)


def section(found: Found) -> str:
    """The arms of one data set: headline figures, differences, weights, and what failed."""
    study = found.study
    units = max((c.units for c in found.compared), default=0)
    rows = ", ".join(f"{study.snapshot.rows(s):,} rows {s}" for s in sorted(study.snapshot.splits))
    lines = [
        f"## {_title(found)}\n",
        f"Snapshot {study.snapshot.version}: {rows}; {units:,} test units. Seeds "
        f"{', '.join(map(str, study.seeds))}.\n",
        table(["arm", "parameters", "settings chosen", *_headings(found)], _arm_lines(found)),
        *_differences(found),
        *_weights(found),
        *rule_tables(found),
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
    for one in with_pools(found):
        for metric in one.conf.headline:
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


def _title(found: Found | Pool) -> str:
    return f"{found.name}{' (simulated)' if found.simulated else ''}"


def _headings(found: Found | Pool) -> list[str]:
    return [f"{m} (lower is better)" if lower_is_better(m) else m for m in found.conf.headline]


def _figure_lines(pool: Pool) -> list[list[object]]:
    arms = dict.fromkeys(one.arm for one in pool.compared)
    return [[arm, *(_cell(pool, arm, m) for m in pool.conf.headline)] for arm in arms]


def _differences(found: Found | Pool) -> list[str]:
    """Two tables: the differences, and the smallest that would have been seen."""
    there = {one.arm for one in found.compared}
    arms = {arm: other for arm, other in found.conf.references.items() if arm in there}
    told, seen = (
        [[arm, arms[arm], *(cell(found, arm, m) for m in found.conf.headline)] for arm in arms]
        for cell in (_difference, _detectable)
    )
    headers = ["arm", "against", *_headings(found)]
    return [
        "Difference from the arm that it is held against:\n",
        table(headers, told),
        "Smallest detectable difference:\n",
        table(headers, seen),
    ]


def _arm_lines(found: Found) -> list[list[object]]:
    return [
        [
            arm.name,
            _parameters(arm),
            ", ".join(f"{k} {v}" for k, v in arm.chosen.items()) or "as conf has them",
            *(_cell(found, arm.name, m) for m in found.conf.headline),
        ]
        for arm in found.arms
        if arm.failure is None
    ]


def _parameters(arm: Arm) -> str:
    counts = {training.state["parameters"] for training in arm.trainings.values()}
    return ", ".join(f"{n:,}" for n in sorted(counts))


def _cell(found: Found | Pool, arm: str, metric: str) -> str:
    one = found.of(arm, metric, ALL)
    return "-" if one is None else figure(one.estimate)


def _difference(found: Found | Pool, arm: str, metric: str) -> str:
    one = found.of(arm, metric, ALL)
    if one is None or one.difference is None:
        return "-"
    return f"{figure(one.difference, '+')} {verdict(metric, one.difference)}"


def _detectable(found: Found | Pool, arm: str, metric: str) -> str:
    one = found.of(arm, metric, ALL)
    return "-" if one is None or one.detectable is None else f"{one.detectable:.4f}"


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
