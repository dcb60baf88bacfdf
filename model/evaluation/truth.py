"""Predictions against planted probabilities: correlation and calibration on a sample of pairs."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from model.arrays import Floats
from model.evaluation.metrics import compute_auc, compute_pearson, compute_spearman
from model.spec import FUNNEL


@dataclass(frozen=True)
class TruthCheck:
    """One comparison; `passed` is None where it is a figure without a yes or no."""

    name: str
    value: float
    rows: int
    meaning: str
    passed: bool | None = None


@dataclass(frozen=True)
class Deciles:
    """Mean prediction and mean truth in ten groups of equal size by prediction, [10] each."""

    predicted: Floats
    true: Floats
    rows: Floats

    @property
    def error(self) -> float:
        """Expected calibration error against the true probabilities."""
        return float(np.average(np.abs(self.predicted - self.true), weights=self.rows))

    @property
    def slope(self) -> float:
        """Least-squares slope of truth on prediction over the deciles: 1 where calibrated."""
        x = self.predicted - np.average(self.predicted, weights=self.rows)
        spread = float(np.sum(self.rows * x**2))
        return float(np.sum(self.rows * x * self.true)) / spread if spread > 0 else float("nan")


def compute_deciles(predicted: Floats, true: Floats) -> Deciles:
    """Compute ten groups of [N] predictions; fewer where there are fewer rows."""
    parts = [p for p in np.array_split(np.argsort(predicted, kind="stable"), 10) if len(p)]
    return Deciles(
        np.array([predicted[p].mean() for p in parts]),
        np.array([true[p].mean() for p in parts]),
        np.array([float(len(p)) for p in parts]),
    )


def check_probability(sample: pd.DataFrame, task: str) -> Iterator[TruthCheck]:
    """Compare p_T with true_p_T, both for position 1."""
    p, true = _to_floats(sample[f"p_{task}"]), _to_floats(sample[f"true_p_{task}"])
    groups, n = compute_deciles(p, true), len(p)
    ratio = float(p.mean() / true.mean()) if true.mean() > 0 else float("nan")
    yield TruthCheck(
        f"p_{task}.pearson", compute_pearson(p, true), n, "correlation with the true probability"
    )
    yield TruthCheck(
        f"p_{task}.spearman", compute_spearman(p, true), n, "rank correlation with the truth"
    )
    yield TruthCheck(
        f"p_{task}.mean_ratio", ratio, n, "mean predicted / mean true; 1 is calibrated"
    )
    yield TruthCheck(
        f"p_{task}.slope", groups.slope, n, "true on predicted over deciles; 1 is right"
    )
    yield TruthCheck(f"p_{task}.error", groups.error, n, "mean |predicted - true| over deciles")


def check_relevance(sample: pd.DataFrame) -> Iterator[TruthCheck]:
    """Compare the predicted relevance with the true grade."""
    grade, n = _to_floats(sample["true_grade"]), len(sample)
    relevance = _to_floats(sample["relevance"])
    yield TruthCheck(
        "relevance.spearman", compute_spearman(relevance, grade), n, "rank correlation with grade"
    )
    for k in (1, 2):
        area = compute_auc(_to_floats(sample[f"p_ge_{k}"]), (grade >= k).astype(np.float64))
        yield TruthCheck(f"p_ge_{k}.auc", area, n, f"AUC for true grade >= {k}")


def check_sample(sample: pd.DataFrame) -> list[TruthCheck]:
    """Run all checks that are defined on a sample of pairs."""
    if sample.empty:
        return []
    checks = [c for task in FUNNEL for c in check_probability(sample, task)]
    return [c for c in (*checks, *check_relevance(sample)) if np.isfinite(c.value)]


def check_grades(confusion: pd.DataFrame) -> list[TruthCheck]:
    """Compare human grades with true grades, from the counts of each pair of grades."""
    n = int(confusion["pairs"].sum())
    if n == 0:
        return []
    gap = (confusion["grade"] - confusion["true_grade"]).abs()
    same = float(confusion.loc[gap == 0, "pairs"].sum()) / n
    close = float(confusion.loc[gap <= 1, "pairs"].sum()) / n
    return [
        TruthCheck("human_grade.exact", same, n, "share of human grades that equal the true grade"),
        TruthCheck("human_grade.within_one", close, n, "share at most one grade away"),
    ]


def check_direction(
    true_relevance: Floats,
    true_engagement: Floats,
    measured_relevance: Floats,
    measured_engagement: Floats,
    queries: int,
) -> list[TruthCheck]:
    """Tell whether the measured value curve moves as the truth does; all [S], by ascending weight.

    Measured figures come from validation queries and labels, true ones from test queries and
    planted grades and probabilities.
    """
    rise = float(true_relevance[-1] - true_relevance[0])
    checks = [
        TruthCheck(
            "curve.relevance_rise",
            rise,
            queries,
            "true relevance NDCG at the largest weight minus at the smallest; should be above 0",
            rise > 0,
        )
    ]
    pairs = [
        ("relevance", true_relevance, measured_relevance),
        ("engagement", true_engagement, measured_engagement),
    ]
    for name, true, measured in pairs:
        agreement = compute_spearman(true, measured)
        if np.isfinite(agreement):
            meaning = f"rank correlation over the sweep of measured and true {name}; above 0"
            checks.append(
                TruthCheck(f"curve.{name}_agreement", agreement, queries, meaning, agreement > 0)
            )
    return checks


def _to_floats(values: "pd.Series[Any]") -> Floats:
    return values.to_numpy(np.float64)
