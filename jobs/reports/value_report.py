"""The trade-off curve in words: notes of the job, and its section of report.md."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pyspark.sql import Row

from conf.schema import Conf
from jobs.reports.markdown import format_interval, format_table, write_section
from model.evaluation.block_sums import ALL


def format_curve_notes(curve: Sequence[Row], tree: Conf) -> list[str]:
    """Format one line per pick, all regions first, and what could not be picked."""
    k = tree.evaluation.k
    picked = [row for row in curve if row["picked"]]
    notes = [_format_pick(row, k) for row in picked]
    without = [r for r in (ALL, *tree.regions) if r not in {row["region"] for row in picked}]
    if without:
        notes.append(f"no weight could be picked for {', '.join(without)}: conf's weights hold")
    if not tree.value.tuned:
        notes.append("value.tuned is off: the curve is kept, conf's weights stay in force")
    if any(row["relevance_labels"] != "human" for row in curve):
        notes.append(
            f"fewer than value.min_queries = {tree.value.min_queries} validation queries have "
            "people's grades: relevance from all label sources"
        )
    return notes


def write_curve_section(
    folder: Path, curve: Sequence[Row], weights: Sequence[Mapping[str, Any]], tree: Conf
) -> Path:
    """Write the curve of all regions, and the weights in force by region."""
    k = tree.evaluation.k
    simulated = any(row["simulated_engagement"] for row in curve)
    mark = " (simulated)" if simulated else ""
    currency = curve[0]["currency"].replace("_", "-") if curve else "none"
    headers = [
        "w_relevance",
        f"relevance NDCG@{k}",
        f"engagement@{k}, {currency}{mark}",
        "kept, by",
        "queries (relevance, engagement)",
        "picked",
    ]
    swept = format_table(
        headers, [_format_curve_cells(row) for row in curve if row["region"] == ALL]
    )
    names = ["region", "w_click", "w_cart", "w_purchase", "w_relevance", "origin"]
    chosen = format_table(names, [[row[name] for name in names] for row in weights])
    text = (
        f"## Value model: the relevance weight, swept on validation queries\n\n"
        f"Rule: {tree.value.rule}. Regions together; the curve of each region is in "
        f"`value_curve`. Engagement{mark} is click, cart and purchase by the engagement weights, "
        f"measured {currency}. The rule goes by the share of it that is kept against the smallest "
        f"weight: as the log says where its standard error is at most "
        f"{tree.value.largest_error:.3g}, else as the ranker's own calibrated probabilities "
        f"expect.\n\n{swept}\n"
        f"Weights in force ({weights[0]['weights_version']}):\n\n{chosen}"
    )
    return write_section(folder, "10-value", text)


def _format_pick(row: Row, k: int) -> str:
    mark = " (simulated)" if row["simulated_engagement"] else ""
    return (
        f"{row['region']}: w_relevance {row['w_relevance']:g}: relevance NDCG@{k} "
        f"{_format_figure(row, 'relevance')}, engagement@{k} ({row['currency']}) "
        f"{_format_figure(row, 'engagement')}{mark}; "
        f"{row['rule']}"
    )


def _format_curve_cells(row: Row) -> list[str]:
    return [
        f"{row['w_relevance']:g}",
        _format_figure(row, "relevance"),
        _format_figure(row, "engagement"),
        _format_engagement_kept(row),
        f"{row['relevance_queries']:,}, {row['engagement_queries']:,}",
        "picked" if row["picked"] else "",
    ]


def _format_engagement_kept(row: Row) -> str:
    return (
        "-"
        if row["engagement_kept"] is None
        else f"{row['engagement_kept']:.4f}, {row['engagement_kept_by']}"
    )


def _format_figure(row: Row, name: str) -> str:
    return format_interval(row[f"{name}_ndcg"], row[f"{name}_low"], row[f"{name}_high"])
