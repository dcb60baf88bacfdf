"""The figures of `evaluate` side by side: as text for the terminal and in report.md."""

import re
from collections.abc import Callable, Mapping, Sequence
from io import StringIO
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table as RichTable

from features.contracts.training import TASKS
from features.evaluation.rankers import REFERENCE
from jobs.labels.findings import Figure, Findings
from jobs.reports.markdown import format_interval, format_table, write_section
from model.evaluation.block_sums import ALL
from model.evaluation.currency import Currency
from model.evaluation.evaluated import NO_RANKING

_MEANING: dict[Currency, str] = {
    "off_policy": "clicks weighed by the logger's own propensities",
    "debiased": "clicks weighed by the examination of their position",
    "logged": "clicks as logged, which reward the logger's own order",
}
RANKERS = (
    "engagement_only",
    "joint",
    "relevance_only",
    "bm25",
    "popularity",
    "cosine",
    "lightgbm",
    "lightgbm_position",
    "lightgbm_relevance",
    "lambdamart_engagement",
    "lambdamart_relevance",
    "lambdamart_mixed",
    "random",
    "logged",
)


def format_value(row: Figure | None) -> str:
    """Format the value and its interval."""
    return format_interval(row["value"], row["low"], row["high"]) if row else "-"


def format_difference(row: Figure | None) -> str:
    """Format the difference from the reference and its interval; a star where the interval excludes
    0."""
    if row is None or row.get("difference") is None:
        return "-"
    low, high = row["difference_low"], row["difference_high"]
    clear = low is not None and high is not None and (low > 0 or high < 0)
    return format_interval(row["difference"], low, high, sign="+") + ("*" if clear else "")


def format_side_by_side(findings: Findings) -> list[str]:
    """Format the lines of two tables for the terminal: values, and differences from the
    reference."""
    if not findings.rows:
        return ["no test row could be measured: no metrics"]
    rankers, level = _list_rankers(findings), f"{findings.confidence:.0%}"
    others = [ranker for ranker in rankers if ranker != REFERENCE]
    return [
        f"test queries: mean over queries [{level} interval]",
        *_format_text(findings, format_value, rankers),
        f"paired difference from {REFERENCE} [{level} interval], * where it excludes 0",
        *_format_text(findings, format_difference, others),
        *_list_warnings(findings),
        *format_yardsticks(findings),
    ]


def write_evaluation_section(folder: Path, findings: Findings) -> Path:
    """Write the evaluation's section of report.md."""
    level = f"{findings.confidence:.0%}"
    regions = sorted({row["region"] for row in findings.rows} - {ALL})
    simulated = " (simulated engagement)" if findings.facts["simulated_engagement"] else ""
    parts = [
        f"## Evaluation on test queries{simulated}",
        *_list_warnings(findings),
        "\n".join(f"- {line}" for line in format_yardsticks(findings)),
        f"Mean over queries [{level} interval by bootstrap over query texts]:",
        _tabulate_rankers(findings, format_value),
        f"Paired difference from {REFERENCE} (* the interval excludes 0):",
        _tabulate_rankers(findings, format_difference),
        "### Further rankings",
        _tabulate_rankers(findings, format_value, findings.name_further()),
        f"### By region: joint, and its difference from {REFERENCE}",
        _tabulate_regions(findings, regions),
        f"### The model's probabilities{simulated}",
        _tabulate_tasks(findings),
        "### Lists behind the figures",
        _tabulate_left_out(findings),
        "Examination by position, relative to position 1: "
        + ", ".join(f"{e:.3f}" for e in findings.examination[:25]),
    ]
    write_section(folder, "00-warnings", "\n\n".join(findings.list_warnings()))
    return write_section(folder, "20-evaluation", "\n\n".join(parts))


def _list_warnings(findings: Findings) -> list[str]:
    lines = []
    if findings.facts["simulated_engagement"]:
        lines.append(
            "Engagement is simulated: click, cart and purchase figures are measured on it, and "
            "every ranker that learnt from the log was trained on it."
        )
    if findings.simulated_grades.get("human"):
        lines.append("The grades are simulated, too.")
    return lines


def _list_rankers(findings: Findings) -> list[str]:
    present = {row["ranker"] for row in findings.rows}
    return [ranker for ranker in RANKERS if ranker in present]


def _format_text(
    findings: Findings, cell: Callable[[Figure | None], str], rankers: Sequence[str]
) -> list[str]:
    headings, rows = findings.name_headlines(), findings.by_name()
    columns = [heading.replace(" (", "\n(").replace(", ", ",\n") for heading in headings.values()]
    rich = RichTable("ranker", *columns, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for ranker in rankers:
        rich.add_row(ranker, *(_compact_cell(cell(rows.get((ranker, m)))) for m in headings))
    buffer = StringIO()
    Console(file=buffer, width=160, color_system=None, markup=False).print(rich)
    return [line.rstrip() for line in buffer.getvalue().splitlines() if line.strip()]


def _compact_cell(cell: str) -> str:
    """Strip the leading zero of figures below 1, so that seven columns fit a terminal."""
    return re.sub(r"(?<!\d)0\.", ".", cell).replace(",", "")


def _tabulate_rankers(
    findings: Findings,
    cell: Callable[[Figure | None], str],
    columns: Mapping[str, str] | None = None,
) -> str:
    headings, rows = columns or findings.name_headlines(), findings.by_name()
    return format_table(
        ["ranker", *headings.values()],
        [
            [ranker, *(cell(rows.get((ranker, metric))) for metric in headings)]
            for ranker in _list_rankers(findings)
        ],
    )


def _tabulate_regions(findings: Findings, regions: Sequence[str]) -> str:
    headings = findings.name_headlines()
    rows = []
    for region in regions:
        by_name = findings.by_name(region)
        cells = [by_name.get(("joint", metric)) for metric in headings]
        rows.append([region, *(f"{format_value(c)}; {format_difference(c)}" for c in cells)])
    return format_table(["region", *headings.values()], rows)


def _tabulate_tasks(findings: Findings) -> str:
    by_metric = {m: row for (ranker, m), row in findings.by_name().items() if ranker == NO_RANKING}
    kinds = list(dict.fromkeys(_extract_kind(metric) for metric in by_metric))
    by_kind = {
        (_extract_kind(metric), _extract_task(metric)): row for metric, row in by_metric.items()
    }
    return format_table(
        ["figure", *TASKS],
        [[kind, *(format_value(by_kind.get((kind, task))) for task in TASKS)] for kind in kinds],
    )


def _extract_kind(metric: str) -> str:
    return metric.replace(f"_{_extract_task(metric)}", "")


def _extract_task(metric: str) -> str:
    return next(task for task in TASKS if f"_{task}" in metric)


def _tabulate_left_out(findings: Findings) -> str:
    columns = ("queries", "lists", "short", "masked", "no_positive")
    rows = [[m, *(f"{counts[c]:,}" for c in columns)] for m, counts in findings.left_out.items()]
    return format_table(["metric", *columns], rows)


def format_yardsticks(findings: Findings) -> list[str]:
    """Format the currency and why, the samples behind the weighed yardsticks, the lists of
    relevance."""
    pages = max(findings.samples.get("pages", 0.0), 1.0)
    sizes = [
        f"{name.replace('_', '-')} {findings.samples.get(f'effective_{name}', 0.0):,.0f} "
        f"({findings.samples.get(f'pages_{name}', 0.0) / pages:.0%} of the pages)"
        for name in ("off_policy", "debiased")
    ]
    lists = (
        "the candidates scored for the run date, as served"
        if findings.as_served
        else "the rows of examples, whose features are of several days: nothing was scored"
    )
    meaning = next(words for name, words in _MEANING.items() if name == findings.currency)
    return [
        f"Engagement in the currency that picks and gates: {findings.currency} ({meaning}). "
        f"Effective sample: {', '.join(sizes)}.",
        "Weighed engagement is the mean discount of a unit of engagement, not an NDCG; `logged` "
        "and `true` are NDCGs of pages.",
        f"Relevance is judged on {lists}, grades as given. `random` is the exact mean over all "
        "orders; the best order has 1.",
    ]
