"""The comparison with the planted truth: notes of the job, and its section of report.md."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from features.contracts.training import TASKS
from jobs.reports.markdown import format_table, write_section
from model.evaluation.block_sums import ALL
from model.evaluation.truth import Deciles


@dataclass(frozen=True)
class Truths:
    """What `check_market` found.

    Attributes:
        rows: rows of market_checks, as dicts.
        deciles: by task, of test queries.
        swept: by ranker, true relevance NDCG and true expected events of test queries.
        known_pairs: scored pairs of which the truth is known.
        scored_pairs: all scored pairs.
        k: cut-off (ranks).
    """

    rows: list[dict[str, Any]]
    deciles: Mapping[str, Deciles]
    swept: pd.DataFrame
    known_pairs: int
    scored_pairs: int
    k: int

    def select_rows(self, queries: str, region: str = ALL) -> list[dict[str, Any]]:
        """Select the rows of one set of queries and region."""
        return [r for r in self.rows if (r["queries"], r["region"]) == (queries, region)]


def format_truth_notes(truths: Truths) -> list[str]:
    """Format correlations and calibration on test queries, one line per task, and the yes-or-no
    checks."""
    by_check = {row["check"]: row for row in truths.select_rows("test")}
    notes = [
        f"p_{task} against the truth, test queries: "
        + ", ".join(
            f"{kind} {by_check[f'p_{task}.{kind}']['value']:.3f}"
            for kind in ("pearson", "spearman", "mean_ratio", "slope")
            if f"p_{task}.{kind}" in by_check
        )
        for task in TASKS
        if f"p_{task}.pearson" in by_check
    ]
    notes += [
        f"{row['check']}: {row['value']:.3f} ({'as' if row['passed'] else 'NOT as'} the truth says)"
        for row in truths.rows
        if row["passed"] is not None
    ]
    return notes


def write_truth_section(folder: Path, truths: Truths) -> Path:
    """Write the section of report.md."""
    parts = [
        "## The planted truth of the simulated market",
        f"The truth is known of {truths.known_pairs:,} of {truths.scored_pairs:,} scored pairs.",
        _tabulate_checks(truths),
        "### Calibration by decile of the prediction, test queries",
        _tabulate_deciles(truths.deciles),
        f"### What the relevance weight truly does, test queries, first {truths.k} ranks",
        _tabulate_sweep(truths.swept),
    ]
    return write_section(folder, "30-truth", "\n\n".join(parts))


def _tabulate_checks(truths: Truths) -> str:
    test = {r["check"]: r for r in truths.select_rows("test")}
    every = {r["check"]: r for r in truths.select_rows("all")}
    names = list(dict.fromkeys([*test, *every]))
    meaning = {r["check"]: r["meaning"] for r in truths.rows}
    rows = [[n, _format_check(test.get(n)), _format_check(every.get(n)), meaning[n]] for n in names]
    return format_table(["check", "test queries", "all queries", "meaning"], rows)


def _format_check(row: Mapping[str, Any] | None) -> str:
    if row is None:
        return "-"
    verdict = {None: "", True: " (yes)", False: " (NO)"}[row["passed"]]
    return f"{row['value']:.3f}{verdict}"


def _tabulate_deciles(by_task: Mapping[str, Deciles]) -> str:
    headers = [f"{task}: {kind}" for task in by_task for kind in ("predicted", "true")]
    columns: Sequence[Sequence[float]] = [
        side for d in by_task.values() for side in (d.predicted.tolist(), d.true.tolist())
    ]
    rows = [
        [str(i), *(f"{v:.4f}" for v in row)] for i, row in enumerate(zip(*columns, strict=True), 1)
    ]
    return format_table(["decile", *headers], rows)


def _tabulate_sweep(swept: pd.DataFrame) -> str:
    figures = ["relevance", *TASKS, "combined"]
    named = swept.assign(order=pd.to_numeric(swept["ranker"], errors="coerce"))
    rows = [
        [row["ranker"], *(f"{row[name]:.4f}" for name in figures)]
        for row in named.sort_values(["order", "ranker"]).to_dict("records")
    ]
    headers = ["w_relevance", "true relevance NDCG", *(f"expected {t}s" for t in TASKS)]
    return format_table([*headers, "weighted"], rows)
