"""A decision on a ranker in words: notes of the job, and its section of report.md."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from jobs.reports.markdown import format_interval, format_table, write_section
from model.evaluation.block_sums import ALL


def format_decision(row: Mapping[str, Any]) -> list[str]:
    """Format the decision, its reasons, and what too few queries left unjudged."""
    against = f"against {row['compared_with']}" if row["compared_with"] else "the first one"
    lines = [
        f"model {row['model_version']} {row['decision']} by {row['decided_by']} on "
        f"{row['run_date']} (decision {row['decision_no']}, {against})"
    ]
    metrics = json.loads(row["metrics"])
    beside = (*metrics.get("unjudged", []), *metrics.get("warnings", []))
    return lines + [f"    {line}" for line in (*row["reasons"], *beside)]


def write_model_section(folder: Path, row: Mapping[str, Any]) -> Path:
    """Write the decision's section of report.md: all figures of all regions, and losses by
    region."""
    metrics = json.loads(row["metrics"])
    lines = format_decision(row)
    parts = [
        "## The model in the gate",
        "\n".join([lines[0], "", *(f"- {line.strip()}" for line in lines[1:])]),
        format_table(
            ["validation queries", "region", "queries", "value", "less the model in force"],
            [
                *_list_rankings(metrics.get("rankings", [])),
                *_list_errors(metrics.get("calibration", [])),
            ],
        ),
        *_format_baselines(metrics.get("baselines", [])),
    ]
    return write_section(folder, "05-model", "\n\n".join(parts))


def _format_baselines(figures: Sequence[Mapping[str, Any]]) -> list[str]:
    """Format the table of the model's parts beside the baselines; none without figures."""
    if not figures:
        return []
    rows = [
        [
            f"{f['part']}, {f['metric']}",
            f["baseline"],
            f["queries"],
            _format_gap(f["gap"]),
            _format_gap(f["gap_in_force"]),
        ]
        for f in figures
    ]
    head = ["part, validation queries", "baseline", "queries", "less it", "model in force less it"]
    return [format_table(head, rows)]


def _list_rankings(figures: Iterable[Mapping[str, Any]]) -> list[list[object]]:
    ordered = sorted(figures, key=lambda f: f["region"] != ALL)
    return [
        [f["metric"], f["region"], f["queries"], f"{f['value']:.4f}", _format_gap(f["gain"])]
        for f in ordered
    ]


def _list_errors(figures: Iterable[Mapping[str, Any]]) -> list[list[object]]:
    return [
        [
            f"calibration error, {f['task']}",
            f["region"],
            f["queries"],
            f"{f['error']['value']:.4f}",
            _format_gap(f["loss"]),
        ]
        for f in figures
        if f["region"] == ALL
    ]


def _format_gap(estimate: Mapping[str, Any] | None) -> str:
    if estimate is None:
        return "-"
    return format_interval(estimate["value"], estimate["low"], estimate["high"], sign="+")
