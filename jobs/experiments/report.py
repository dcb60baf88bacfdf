"""The tables of an experiment in Markdown: what was asked, what came out, arm by arm.

A data set that was drawn several times has a section over its draws, before those of each draw.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from jobs.experiments.results import (
    TEST,
    PooledResults,
    StudyResults,
    add_pools,
    find_figure,
    format_title,
    pool_results,
)
from jobs.experiments.rule import format_rule_tables
from jobs.experiments.study import Arm
from jobs.reports.markdown import format_table
from model.evaluation.bootstrap import Estimate
from model.experiments.intervals import POWER
from model.experiments.verdict import decide_verdict, lower_is_better

PICKED = "value.w_relevance"
_DRAWN = (
    " Over draws of a data set: Student's t over the draws' figures, each draw with its own units "
    "and trainings."
)
_MARKS = {"better": "+", "worse": "-", "no difference seen": "o", "cannot tell": "?"}


def format_report(results: Sequence[StudyResults]) -> str:
    """Format the whole report: one section per data set, and one over the draws of a data set."""
    conf = results[0].conf
    head = (
        f"# Experiment {conf.name}\n\n{conf.asks}\n\nThe papers: {conf.paper}\n\n"
        f"Reference: `{conf.reference}`. Intervals: {conf.bootstrap.confidence:.0%}, bootstrap "
        f"over units (queries or sessions) and seeds, {conf.bootstrap.replicates:,} replicates; "
        f"differences are paired by unit and seed.{_DRAWN if conf.pooled else ''} Smallest "
        f"detectable: the true difference whose interval would leave out 0 in {POWER:.0%} of runs. "
        "No interval is widened for the number of comparisons.\n"
    )
    return "\n".join(
        [head, *map(format_pool_section, pool_results(results)), *map(format_section, results)]
    )


def format_pool_section(pool: PooledResults) -> str:
    """Format the arms over the draws of a data set: figures, differences, and the smallest that
    would have been seen."""
    draws = ", ".join(f"`{one.name}`" for one in pool.draws)
    lines = [
        f"## {format_title(pool)}: mean over {len(pool.draws)} draws\n",
        f"Each drawn, trained and judged by itself: {draws}.\n",
        format_table(["arm", *_list_headings(pool)], _list_figures(pool)),
        *_tabulate_differences(pool),
        *format_rule_tables(pool),
    ]
    return "\n".join(lines)


def format_section(results: StudyResults) -> str:
    """Format the arms of one data set: headline figures, differences, weights, and what failed."""
    study = results.study
    units = max((c.units for c in results.compared), default=0)
    rows = ", ".join(
        f"{study.snapshot.count_rows(s):,} rows {s}" for s in sorted(study.snapshot.splits)
    )
    lines = [
        f"## {format_title(results)}\n",
        f"Snapshot {study.snapshot.version}: {rows}; {units:,} test units. Seeds "
        f"{', '.join(map(str, study.seeds))}.\n",
        format_table(
            ["arm", "parameters", "settings chosen", *_list_headings(results)], _list_arms(results)
        ),
        *_tabulate_differences(results),
        *_tabulate_weights(results),
        *format_rule_tables(results),
        *_tabulate_curves(results),
        *_list_failed(results),
    ]
    return "\n".join(lines)


def format_regions(results: Sequence[StudyResults]) -> str:
    """Format the differences from the reference by region, one table per headline figure."""
    lines = [
        "Difference from the reference by region; + better, - worse, o no difference seen, each by "
        "a 95 % interval of its own.\n"
    ]
    for one in add_pools(results):
        for metric in one.conf.headline:
            compared = [c for c in one.compared if c.metric == metric and c.difference is not None]
            regions = list(dict.fromkeys(c.region for c in compared))
            if len(regions) > 1:
                arms = list(dict.fromkeys(c.arm for c in compared))
                cells = {
                    (c.region, c.arm): _mark_difference(metric, c.difference) for c in compared
                }
                rows = [[r, *(cells.get((r, a), "-") for a in arms)] for r in regions]
                lines += [
                    f"## {format_title(one)}: {metric}\n",
                    format_table(["region", *arms], rows),
                ]
    return "\n".join(lines)


def format_figure(estimate: Estimate, sign: str = "") -> str:
    """Format an estimate as `0.5123 [0.4980, 0.5260]`; a dash for no figure, no brackets for no
    interval."""
    if not np.isfinite(estimate.value):
        return "-"
    text = f"{estimate.value:{sign}.4f}"
    if estimate.low is None or estimate.high is None:
        return text
    return f"{text} [{estimate.low:{sign}.4f}, {estimate.high:{sign}.4f}]"


def _list_headings(results: StudyResults | PooledResults) -> list[str]:
    return [f"{m} (lower is better)" if lower_is_better(m) else m for m in results.conf.headline]


def _list_figures(pool: PooledResults) -> list[list[object]]:
    arms = dict.fromkeys(one.arm for one in pool.compared)
    return [[arm, *(_format_cell(pool, arm, m) for m in pool.conf.headline)] for arm in arms]


def _tabulate_differences(results: StudyResults | PooledResults) -> list[str]:
    """Build two tables: the differences, and the smallest ones that would have been seen."""
    present = {one.arm for one in results.compared}
    arms = {arm: other for arm, other in results.conf.references.items() if arm in present}
    differences, detectable = (
        [[arm, arms[arm], *(cell(results, arm, m) for m in results.conf.headline)] for arm in arms]
        for cell in (_format_difference, _format_detectable)
    )
    headers = ["arm", "against", *_list_headings(results)]
    return [
        "Difference from the arm that it is held against:\n",
        format_table(headers, differences),
        "Smallest detectable difference:\n",
        format_table(headers, detectable),
    ]


def _list_arms(results: StudyResults) -> list[list[object]]:
    return [
        [
            arm.name,
            _format_parameters(arm),
            ", ".join(f"{k} {v}" for k, v in arm.chosen.items()) or "as conf has them",
            *(_format_cell(results, arm.name, m) for m in results.conf.headline),
        ]
        for arm in results.arms
        if arm.failure is None
    ]


def _format_parameters(arm: Arm) -> str:
    counts = {training.state["parameters"] for training in arm.trainings.values()}
    return ", ".join(f"{n:,}" for n in sorted(counts))


def _format_cell(results: StudyResults | PooledResults, arm: str, metric: str) -> str:
    one = find_figure(results, arm, metric)
    return "-" if one is None else format_figure(one.estimate)


def _format_difference(results: StudyResults | PooledResults, arm: str, metric: str) -> str:
    one = find_figure(results, arm, metric)
    if one is None or one.difference is None:
        return "-"
    return f"{format_figure(one.difference, '+')} {decide_verdict(metric, one.difference)}"


def _format_detectable(results: StudyResults | PooledResults, arm: str, metric: str) -> str:
    one = find_figure(results, arm, metric)
    return "-" if one is None or one.detectable is None else f"{one.detectable:.4f}"


def _mark_difference(metric: str, difference: Estimate | None) -> str:
    if difference is None or not np.isfinite(difference.value):
        return "-"
    return f"{difference.value:+.4f} {_MARKS[decide_verdict(metric, difference)]}"


def _tabulate_weights(results: StudyResults) -> list[str]:
    """Tabulate the relevance weight that each seed picked, by arm and region."""
    by_arm: dict[tuple[str, str], list[float]] = {}
    for arm, by_seed in results.figures.items():
        for f in (f for figures in by_seed.values() for f in figures if f.metric == PICKED):
            by_arm.setdefault((arm, f.region), []).append(f.value)
    rows = [
        [arm, region, ", ".join(f"{w:g}" for w in weights)]
        for (arm, region), weights in by_arm.items()
    ]
    headers = ["arm", "region", "relevance weight by seed"]
    return ["Picked on validation:\n", format_table(headers, rows)] if rows else []


def _tabulate_curves(results: StudyResults) -> list[str]:
    """Tabulate both NDCGs on test by relevance weight, for the arms whose weight is picked; equal
    curves once."""
    arms = results.study.experiment.conf.arms
    lines: list[str] = []
    seen: set[tuple[object, ...]] = set()
    for arm in results.curves:
        rows = list(_list_curve_rows(results, arm))
        ranking = arms[arm].ranking
        if (
            ranking is not None
            and ranking.relevance == "picked"
            and tuple(map(tuple, rows)) not in seen
        ):
            seen.add(tuple(map(tuple, rows)))
            lines += [
                f"`{arm}` over the relevance weight, test, mean over seeds:\n",
                format_table(["w_relevance", "relevance NDCG", "engagement NDCG"], rows),
            ]
    return lines


def _list_curve_rows(results: StudyResults, arm: str) -> Iterator[list[str]]:
    for points in zip(*results.curves[arm][TEST].values(), strict=True):
        relevance = np.mean([p.relevance for p in points])
        engagement = np.mean([p.engagement for p in points])
        yield [f"{points[0].w_relevance:g}", f"{relevance:.4f}", f"{engagement:.4f}"]


def _list_failed(results: StudyResults) -> list[str]:
    lines = [f"- `{arm.name}`: {arm.failure}" for arm in results.arms if arm.failure]
    return ["Failed arms:\n", *lines, ""] if lines else []
